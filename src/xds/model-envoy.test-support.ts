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
  /** Clusters that the Envoy's table leads to. */
  tableClusters(name: string): readonly string[];
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

const types = Object.values(resourceTypes);
const node = { id: "envoy-1", cluster: "default/gateway", userAgentName: "envoy" };

export function createModelEnvoy(options: ModelOptions = {}): ModelEnvoy {
  const states = new Map<string, TypeState>(types.map((type) => [type, createTypeState()]));
  const warming = new Map<string, Instance>();
  const active = new Map<string, Instance>();
  const tables = new Map<string, readonly string[]>();
  let nodeSent = false;
  let listenersStarted = false;

  const key = (type: string, name: string) => `${type} ${name}`;
  const instances = () => [...warming.values(), ...active.values()];

  function wantedNames(type: string): ReadonlySet<string> {
    const pick = {
      [resourceTypes.endpoints]: "endpoints",
      [resourceTypes.secret]: "secrets",
      [resourceTypes.route]: "routes",
    }[type] as "endpoints" | "secrets" | "routes" | undefined;
    return new Set(pick === undefined ? [] : instances().flatMap((instance) => instance[pick]));
  }

  function apply(type: string, name: string, bytes: Uint8Array): void {
    if (type === resourceTypes.cluster) {
      const { endpoints, secrets } = JSON.parse(Cluster.decode(bytes).altStatName!) as ClusterReferences;
      begin(type, name, { endpoints, secrets, routes: [], needs: new Set() });
    } else if (type === resourceTypes.listener) {
      const { routes, secrets } = JSON.parse(Listener.decode(bytes).statPrefix!) as ListenerReferences;
      begin(type, name, { endpoints: [], secrets, routes, needs: new Set() });
    } else if (wantedNames(type).has(name)) {
      if (type === resourceTypes.route) tables.set(name, RouteConfiguration.decode(bytes).internalOnlyHeaders ?? []);
      deliver(type, name);
    }
  }

  function begin(type: string, name: string, instance: Instance): void {
    for (const each of instance.endpoints) instance.needs.add(key(resourceTypes.endpoints, each));
    for (const each of instance.secrets) instance.needs.add(key(resourceTypes.secret, each));
    for (const each of instance.routes) if (!tables.has(each)) instance.needs.add(key(resourceTypes.route, each));
    warming.set(key(type, name), instance);
    activate();
  }

  function deliver(type: string, name: string): void {
    for (const instance of warming.values()) instance.needs.delete(key(type, name));
    activate();
  }

  function activate(): void {
    for (const [name, instance] of warming) {
      if (instance.needs.size > 0) continue;
      warming.delete(name);
      active.set(name, instance);
    }
  }

  function remove(type: string, name: string): void {
    if (type === resourceTypes.cluster || type === resourceTypes.listener) {
      warming.delete(key(type, name));
      active.delete(key(type, name));
    } else if (type === resourceTypes.endpoints) {
      deliver(type, name);
    }
  }

  function clustersWarm(): boolean {
    return [...warming.keys()].some((name) => name.startsWith(resourceTypes.cluster));
  }

  /** Names that came and went since the last request; what is no longer watched is dropped. */
  function watch(type: string, state: TypeState): { added: string[]; dropped: string[] } {
    const wanted = wantedNames(type);
    const added = [...wanted].filter((name) => !state.subscribed.has(name));
    const dropped = [...state.subscribed].filter((name) => !wanted.has(name));
    for (const name of added) state.subscribed.add(name);
    for (const name of dropped) {
      state.subscribed.delete(name);
      state.versions.delete(name);
      if (type === resourceTypes.route) tables.delete(name);
    }
    return { added, dropped };
  }

  function requestOfType(type: string, state: TypeState): DeltaDiscoveryRequest | undefined {
    const { added, dropped } = watch(type, state);
    const root = type === resourceTypes.cluster || type === resourceTypes.listener;
    const paused = type === resourceTypes.cluster && clustersWarm();
    const answer = paused ? undefined : state.answers.shift();
    const opening = !state.started && (root ? type === resourceTypes.cluster || listenersStarted : added.length > 0);
    if (!opening && answer === undefined && added.length + dropped.length === 0) return undefined;
    const first = !state.started;
    state.started = true;
    const request: DeltaDiscoveryRequest = {
      typeUrl: type,
      resourceNamesSubscribe: added,
      resourceNamesUnsubscribe: dropped,
      responseNonce: answer?.nonce ?? "",
      ...(answer?.error === undefined ? {} : { errorDetail: { code: 13, message: answer.error } }),
      ...(first ? { initialResourceVersions: Object.fromEntries(state.versions) } : {}),
      ...(nodeSent ? {} : { node }),
    };
    nodeSent = true;
    return request;
  }

  return {
    connect() {
      nodeSent = false;
      // Envoy's own timeout ends a wait for something that the lost stream was about to bring again.
      for (const instance of warming.values()) {
        for (const need of instance.needs) {
          const [type, name] = need.split(" ") as [string, string];
          if (states.get(type)!.versions.has(name)) instance.needs.delete(need);
        }
      }
      activate();
      for (const state of states.values()) {
        state.started = false;
        state.subscribed.clear();
        state.answers.length = 0;
      }
    },
    receive(response) {
      const type = response.typeUrl!;
      const state = states.get(type)!;
      const resources = response.resources ?? [];
      const errors = resources.flatMap(({ name, version }) => options.refuses?.(type, name!, version!) ?? []);
      const sound = resources.filter(({ name, version }) => !options.refuses?.(type, name!, version!));
      for (const name of response.removedResources ?? []) {
        remove(type, name);
        if (type === resourceTypes.cluster || type === resourceTypes.listener) state.versions.delete(name);
      }
      const taken = errors.length === 0 || options.appliesPartly?.() ? sound : [];
      for (const { name, version, resource } of taken) {
        const watched =
          wantedNames(type).has(name!) || type === resourceTypes.cluster || type === resourceTypes.listener;
        apply(type, name!, resource!.value!);
        if (errors.length === 0 && watched) state.versions.set(name!, version!);
      }
      if (type === resourceTypes.cluster) listenersStarted = true;
      state.answers.push({ nonce: response.nonce!, error: errors.length > 0 ? errors.join("; ") : undefined });
    },
    expire() {
      const waited = warming.size > 0;
      for (const instance of warming.values()) instance.needs.clear();
      activate();
      return waited;
    },
    takeRequest() {
      for (const [type, state] of states) {
        const request = requestOfType(type, state);
        if (request !== undefined) return request;
      }
      return undefined;
    },
    versions: (type) => states.get(type)!.versions,
    warming: () => [...warming.keys()],
    danglingClusters: () =>
      [...tables.values()].flat().filter((cluster) => !active.has(key(resourceTypes.cluster, cluster))),
    tableClusters: (name) => tables.get(name) ?? [],
  };
}

function createTypeState(): TypeState {
  return { started: false, subscribed: new Set(), versions: new Map(), answers: [] };
}
