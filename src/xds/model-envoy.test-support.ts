import { Cluster } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import { Listener } from "../envoy/generated/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import type { ResourceType } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { ClusterReferences, ListenerReferences } from "./world.test-support.ts";

/**
 * Envoy as an xDS client, without sockets: what it asks for, when it acknowledges, what it lacks.
 * - Clusters and listeners are new instances after each update. They warm until the endpoints and secrets that they name
 *   have been delivered after them; names that are watched already are not asked for again.
 * - While a cluster warms the acknowledgements of clusters are withheld.
 * - A response with a refused resource is refused as a whole.
 */
export interface ModelEnvoy {
  /** A new stream: requests not sent yet are lost, everything is stated anew. */
  connect(): void;
  receive(response: DeltaDiscoveryResponse): void;
  /** Envoy's timeout of 15 s ends every wait for endpoints, secrets and tables. Returns whether anything waited. */
  expire(): boolean;
  /** The next request on the wire. */
  takeRequest(): DeltaDiscoveryRequest | undefined;
  /** Accepted versions by name. */
  versions(type: ResourceType): ReadonlyMap<string, string>;
  /** Names of clusters or listeners that do not serve yet. */
  warming(): readonly string[];
  /** Clusters that a route table leads to and that this Envoy does not have. */
  danglingClusters(): readonly string[];
}

export interface ModelOptions {
  /** Envoy's words when it does not take this version. */
  readonly refuses?: (type: string, name: string, version: string) => string | undefined;
  /** Whether the sound resources of a refused response are applied all the same, as Envoy's clusters and listeners are. */
  readonly appliesPartly?: () => boolean;
}

interface Instance {
  readonly endpoints: readonly string[];
  readonly secrets: readonly string[];
  readonly routes: readonly string[];
  /** `type name` of what must be delivered before it serves. */
  readonly needs: Set<string>;
}

interface TypeState {
  started: boolean;
  readonly subscribed: Set<string>;
  readonly versions: Map<string, string>;
  readonly answers: { readonly nonce: string; readonly error: string | undefined }[];
}

/** Everything that the client knows. */
interface State {
  readonly options: ModelOptions;
  readonly types: ReadonlyMap<string, TypeState>;
  readonly warming: Map<string, Instance>;
  readonly active: Map<string, Instance>;
  /** Clusters of each route table. */
  readonly tables: Map<string, readonly string[]>;
  nodeSent: boolean;
  listenersStarted: boolean;
  /** A Listener had route tables in buckets. */
  scopesStarted: boolean;
}

const node = { id: "envoy-1", cluster: "default/gateway", userAgentName: "envoy" };

/** What instances name, by type. Types without an entry are wanted whole. */
const named: Readonly<Record<string, "endpoints" | "secrets" | "routes" | undefined>> = {
  [resourceTypes.endpoints]: "endpoints",
  [resourceTypes.secret]: "secrets",
  [resourceTypes.route]: "routes",
};

export function createModelEnvoy(options: ModelOptions = {}): ModelEnvoy {
  const types = new Map<string, TypeState>(Object.values(resourceTypes).map((type) => [type, createTypeState()]));
  const state: State = {
    options,
    types,
    warming: new Map(),
    active: new Map(),
    tables: new Map(),
    nodeSent: false,
    listenersStarted: false,
    scopesStarted: false,
  };
  return {
    connect: () => connect(state),
    receive: (response) => receive(state, response),
    expire: () => expire(state),
    takeRequest() {
      for (const [type, each] of types) {
        const request = requestOfType(state, type, each);
        if (request !== undefined) return request;
      }
      return undefined;
    },
    versions: (type) => types.get(type)!.versions,
    warming: () => [...state.warming.keys()],
    danglingClusters: () =>
      [...state.tables.values()].flat().filter((cluster) => !state.active.has(keyOf(resourceTypes.cluster, cluster))),
  };
}

function createTypeState(): TypeState {
  return { started: false, subscribed: new Set(), versions: new Map(), answers: [] };
}

function keyOf(type: string, name: string): string {
  return `${type} ${name}`;
}

function wantedNames({ warming, active }: State, type: string): ReadonlySet<string> {
  const field = named[type];
  if (field === undefined) return new Set();
  return new Set([...warming.values(), ...active.values()].flatMap((instance) => instance[field]));
}

function connect(state: State): void {
  state.nodeSent = false;
  // Envoy's own timeout ends a wait for something that the lost stream was about to bring again.
  for (const { needs } of state.warming.values()) {
    for (const need of needs) {
      const [type, name] = need.split(" ") as [string, string];
      if (state.types.get(type)!.versions.has(name)) needs.delete(need);
    }
  }
  activate(state);
  for (const each of state.types.values()) {
    each.started = false;
    each.subscribed.clear();
    each.answers.length = 0;
  }
}

function receive(state: State, response: DeltaDiscoveryResponse): void {
  const type = response.typeUrl!;
  const { versions, answers } = state.types.get(type)!;
  const resources = response.resources ?? [];
  const complaint = ({ name, version }: (typeof resources)[number]) => state.options.refuses?.(type, name!, version!);
  const errors = resources.flatMap((resource) => complaint(resource) ?? []);
  for (const name of response.removedResources ?? []) {
    remove(state, type, name);
    if (named[type] === undefined) versions.delete(name);
  }
  const taken = errors.length === 0 || state.options.appliesPartly?.() ? resources : [];
  for (const resource of taken) {
    if (complaint(resource) !== undefined) continue;
    const watched = named[type] === undefined || wantedNames(state, type).has(resource.name!);
    if (watched) apply(state, type, resource.name!, resource.resource!.value!);
    if (watched && errors.length === 0) versions.set(resource.name!, resource.version!);
  }
  if (type === resourceTypes.cluster) state.listenersStarted = true;
  answers.push({ nonce: response.nonce!, error: errors.length > 0 ? errors.join("; ") : undefined });
}

function apply(state: State, type: string, name: string, bytes: Uint8Array): void {
  if (type === resourceTypes.cluster) {
    const { endpoints, secrets } = JSON.parse(Cluster.decode(bytes).altStatName!) as ClusterReferences;
    begin(state, keyOf(type, name), { endpoints, secrets, routes: [], needs: new Set() });
  } else if (type === resourceTypes.listener) {
    const { routes, secrets, scopes } = JSON.parse(Listener.decode(bytes).statPrefix!) as ListenerReferences;
    if (scopes.length > 0) state.scopesStarted = true;
    begin(state, keyOf(type, name), { endpoints: [], secrets, routes, needs: new Set() });
  } else {
    if (type === resourceTypes.route) {
      state.tables.set(name, RouteConfiguration.decode(bytes).internalOnlyHeaders ?? []);
    }
    deliver(state, type, name);
  }
}

/** A new instance of a cluster or listener. A table that is there already serves it too. */
function begin(state: State, key: string, instance: Instance): void {
  for (const each of instance.endpoints) instance.needs.add(keyOf(resourceTypes.endpoints, each));
  for (const each of instance.secrets) instance.needs.add(keyOf(resourceTypes.secret, each));
  for (const each of instance.routes) {
    if (!state.tables.has(each)) instance.needs.add(keyOf(resourceTypes.route, each));
  }
  state.warming.set(key, instance);
  activate(state);
}

function deliver(state: State, type: string, name: string): void {
  for (const { needs } of state.warming.values()) needs.delete(keyOf(type, name));
  activate(state);
}

function activate({ warming, active }: State): void {
  for (const [key, instance] of warming) {
    if (instance.needs.size > 0) continue;
    warming.delete(key);
    active.set(key, instance);
  }
}

function expire(state: State): boolean {
  const waited = state.warming.size > 0;
  for (const { needs } of state.warming.values()) needs.clear();
  activate(state);
  return waited;
}

function remove(state: State, type: string, name: string): void {
  if (named[type] === undefined) {
    state.warming.delete(keyOf(type, name));
    state.active.delete(keyOf(type, name));
  } else if (type === resourceTypes.endpoints) {
    deliver(state, type, name);
  }
}

/** Names that came and went since the last request; what is no longer watched is dropped. */
function watch(
  state: State,
  type: string,
  { subscribed, versions }: TypeState,
): { added: string[]; dropped: string[] } {
  const wanted = wantedNames(state, type);
  const added = [...wanted].filter((name) => !subscribed.has(name));
  const dropped = [...subscribed].filter((name) => !wanted.has(name));
  for (const name of added) subscribed.add(name);
  for (const name of dropped) {
    subscribed.delete(name);
    versions.delete(name);
    if (type === resourceTypes.route) state.tables.delete(name);
  }
  return { added, dropped };
}

function requestOfType(state: State, type: string, own: TypeState): DeltaDiscoveryRequest | undefined {
  const { added, dropped } = watch(state, type, own);
  const paused =
    type === resourceTypes.cluster && [...state.warming.keys()].some((key) => key.startsWith(resourceTypes.cluster));
  const answer = paused ? undefined : own.answers.shift();
  const wildcard =
    type === resourceTypes.cluster ||
    (type === resourceTypes.listener && state.listenersStarted) ||
    (type === resourceTypes.scope && state.scopesStarted);
  const opening = !own.started && (wildcard || added.length > 0);
  if (!opening && answer === undefined && added.length + dropped.length === 0) return undefined;
  const request: DeltaDiscoveryRequest = {
    typeUrl: type,
    resourceNamesSubscribe: added,
    resourceNamesUnsubscribe: dropped,
    responseNonce: answer?.nonce ?? "",
    ...(answer?.error === undefined ? {} : { errorDetail: { code: 13, message: answer.error } }),
    ...(own.started ? {} : { initialResourceVersions: Object.fromEntries(own.versions) }),
    ...(state.nodeSent ? {} : { node }),
  };
  own.started = true;
  state.nodeSent = true;
  return request;
}
