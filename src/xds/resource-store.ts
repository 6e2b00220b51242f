import type { EncodedResource, ResourceChange, ResourceName, ResourceType } from "../envoy/resource.ts";

/** There is a resource, but what there is has been refused by Envoy and nothing older was accepted. */
export const withheld = "withheld";

export interface Refused {
  readonly version: string;
  readonly error: string;
}

export type Observer = (changed: readonly ResourceName[]) => void;

/** What is published for the Envoys of one gateway, and which version of it they proved to accept. */
export interface GatewayResources {
  readonly key: string;
  current(type: ResourceType, name: string): EncodedResource | undefined;
  names(type: ResourceType): Iterable<string>;
  /**
   * The version that a client should have; undefined: the resource does not exist.
   *
   * A version that an Envoy refused alone is not offered to other Envoys of the same build, unless one of them accepted it
   * (a listener port that is taken on one host says nothing about another): they get the last accepted version. Another
   * build may understand it, so a rolling upgrade of Envoy tries again.
   * @param refused versions that this client itself refused
   * @param build Envoy's build as its node states it
   */
  choose(
    type: ResourceType,
    name: string,
    refused: readonly string[],
    build: string,
  ): EncodedResource | typeof withheld | undefined;
  accept(resource: EncodedResource): void;
  /** @param error in Envoy's words */
  refuse(resource: EncodedResource, build: string, error: string): void;
  /** Why Envoys of a build are not offered the published version; undefined: they are. */
  refusal(type: ResourceType, name: string, build: string): Refused | undefined;
  /** Tells of changed names after each commit that touches this gateway. Returns the function that ends it. */
  observe(observer: Observer): () => void;
}

export interface ResourceStore {
  /** False until the first commit: what is not known yet must not look like "nothing exists" to a connecting Envoy. */
  readonly ready: boolean;
  /** Applies one commit, which may be empty. O(changes × streams of the gateways that they touch). */
  publish(changes: Iterable<ResourceChange>): void;
  /** The resources of a gateway; one that nothing was published for yet is empty. Valid for as long as it is observed. */
  gateway(key: string): GatewayResources;
}

/** At most two versions of a resource are kept: the published one and, until that is accepted, the last accepted one. */
interface Entry {
  current: EncodedResource;
  accepted: EncodedResource | undefined;
  /** Builds of Envoy that refused `current`, and their words. */
  refusedBy: readonly { readonly build: string; readonly error: string }[];
}

/** Builds remembered per refused version: a gateway's proxies run one image, two while it is rolled out. */
const MAX_BUILDS = 8;

const none: readonly never[] = Object.freeze([]);
const noEntries: ReadonlyMap<string, Entry> = new Map();

interface Gateway {
  readonly resources: GatewayResources;
  readonly types: Map<ResourceType, Map<string, Entry>>;
  readonly observers: Set<Observer>;
}

export function createResourceStore(): ResourceStore {
  const gateways = new Map<string, Gateway>();
  let ready = false;

  function find(key: string): Gateway {
    let gateway = gateways.get(key);
    if (gateway === undefined) {
      gateway = createGateway(key, () => gateways.delete(key));
      gateways.set(key, gateway);
    }
    return gateway;
  }

  return {
    get ready() {
      return ready;
    },
    publish(changes) {
      const changed = new Map<Gateway, ResourceName[]>();
      for (const change of changes) {
        const gateway = find(change.gateway);
        if (!applyChange(gateway, change)) continue;
        const names = changed.get(gateway);
        const name = { type: change.type, name: change.name };
        if (names === undefined) changed.set(gateway, [name]);
        else names.push(name);
      }
      ready = true;
      for (const [gateway, names] of changed) {
        for (const observer of gateway.observers) observer(names);
        if (isForgettable(gateway)) gateways.delete(gateway.resources.key);
      }
    },
    gateway: (key) => find(key).resources,
  };
}

function isForgettable(gateway: Gateway): boolean {
  return gateway.observers.size === 0 && gateway.types.size === 0;
}

/** Returns whether the change changes anything. */
function applyChange(gateway: Gateway, { type, name, resource }: ResourceChange): boolean {
  let entries = gateway.types.get(type);
  const entry = entries?.get(name);
  if (resource === undefined) {
    if (entries === undefined || entry === undefined) return false;
    entries.delete(name);
    if (entries.size === 0) gateway.types.delete(type);
    return true;
  }
  if (entry === undefined) {
    if (entries === undefined) {
      entries = new Map();
      gateway.types.set(type, entries);
    }
    entries.set(name, { current: resource, accepted: undefined, refusedBy: none });
    return true;
  }
  if (entry.current.version === resource.version) return false;
  entry.current = resource;
  entry.refusedBy = none;
  return true;
}

function createGateway(key: string, forget: () => void): Gateway {
  const types = new Map<ResourceType, Map<string, Entry>>();
  const observers = new Set<Observer>();
  const find = (type: ResourceType, name: string) => types.get(type)?.get(name);
  const resources: GatewayResources = {
    key,
    current: (type, name) => find(type, name)?.current,
    names: (type) => (types.get(type) ?? noEntries).keys(),
    choose(type, name, refused, build) {
      const entry = find(type, name);
      return entry === undefined ? undefined : chooseVersion(entry, refused, build);
    },
    accept(resource) {
      const entry = find(resource.type, resource.name);
      if (entry === undefined || entry.accepted === resource) return;
      entry.accepted = resource;
      if (entry.current !== resource || entry.refusedBy.length === 0) return;
      // One Envoy refused it and another accepts it after all: those that were spared it may have it now.
      for (const observer of observers) observer([{ type: resource.type, name: resource.name }]);
    },
    refuse(resource, build, error) {
      const entry = find(resource.type, resource.name);
      if (entry?.current.version !== resource.version || refusalOf(entry, build) !== undefined) return;
      entry.refusedBy = [...entry.refusedBy, { build, error }].slice(-MAX_BUILDS);
    },
    refusal(type, name, build) {
      const entry = find(type, name);
      const refused = entry && !isProven(entry) ? refusalOf(entry, build) : undefined;
      return refused && { version: entry!.current.version, error: refused.error };
    },
    observe(observer) {
      observers.add(observer);
      return () => {
        observers.delete(observer);
        if (isForgettable(gateway)) forget();
      };
    },
  };
  const gateway = { resources, types, observers };
  return gateway;
}

function chooseVersion(entry: Entry, refused: readonly string[], build: string): EncodedResource | typeof withheld {
  const { current, accepted } = entry;
  const proven = isProven(entry);
  if (!refused.includes(current.version) && (proven || refusalOf(entry, build) === undefined)) return current;
  return accepted === undefined || proven || refused.includes(accepted.version) ? withheld : accepted;
}

function isProven({ current, accepted }: Entry): boolean {
  return accepted?.version === current.version;
}

function refusalOf({ refusedBy }: Entry, build: string): Entry["refusedBy"][number] | undefined {
  return refusedBy.find((refused) => refused.build === build);
}
