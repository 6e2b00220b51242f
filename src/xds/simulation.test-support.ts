import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import type { Answer } from "../envoy/resource.ts";
import type { XdsLimits } from "./limits.ts";
import { defaultLimits } from "./limits.ts";
import type { ModelEnvoy } from "./model-envoy.test-support.ts";
import { nextResponse } from "./next-response.ts";
import type { ResourceStore } from "./resource-store.ts";
import { createResourceStore } from "./resource-store.ts";
import { encodeDeltaResponse } from "./response.ts";
import type { Session } from "./session.ts";
import { applyChanges, createSession, receiveRequest } from "./session.ts";
import type { World } from "./world.test-support.ts";
import { difference, gatewayKey, world } from "./world.test-support.ts";

/** A session and a client with a wire between them that moves one message at a time, and a clock that stands still. */
export interface Simulation {
  readonly store: ResourceStore;
  readonly session: Session;
  readonly acknowledgements: Answer[];
  /** `kind name@revision-less` labels of all resources sent, in order; removals as `-name`. */
  readonly sent: string[];
  now: number;
  publish(to: World): void;
  /** Server writes a response. */
  write(): boolean;
  /** The client reads a response. */
  read(): boolean;
  /** The client writes a request and the server reads it. */
  request(): boolean;
  /** A new stream; with a restart also a new server that knows nothing of the past. */
  reconnect(restart?: boolean): void;
  /** Moves messages until nothing moves; with the clock also on to the next deadline of either side, until none is left. */
  settle(options?: { readonly clock: boolean }): void;
}

const kinds: Readonly<Record<string, string>> = {
  Cluster: "cluster",
  ClusterLoadAssignment: "endpoints",
  Secret: "secret",
  Listener: "listener",
  RouteConfiguration: "table",
  ScopedRouteConfiguration: "scope",
};

function kindOf(type: string): string {
  return kinds[type.slice(type.lastIndexOf(".") + 1)]!;
}

export function createSimulation(envoy: ModelEnvoy, limits: Partial<XdsLimits> = {}, build = "envoy"): Simulation {
  let store = createResourceStore();
  let session: Session;
  let current: World = world();
  let stop = () => {};
  let wire: DeltaDiscoveryResponse[] = [];
  const acknowledgements: Answer[] = [];
  const sent: string[] = [];

  function open(): void {
    stop();
    wire = [];
    envoy.connect();
    const gateway = store.gateway(gatewayKey);
    session = createSession(gateway, build, { ...defaultLimits, ...limits }, (each) => acknowledgements.push(each));
    stop = gateway.observe((changed) => applyChanges(session, changed));
  }

  const simulation: Simulation = {
    now: 0,
    acknowledgements,
    sent,
    get store() {
      return store;
    },
    get session() {
      return session;
    },
    publish(to) {
      store.publish(difference(current, to));
      current = to;
    },
    write() {
      const response = nextResponse(session, simulation.now);
      if (response === undefined) return false;
      const kind = kindOf(response.type);
      sent.push(
        ...response.resources.map(({ name }) => `${kind} ${name}`),
        ...response.removed.map((name) => `-${kind} ${name}`),
      );
      wire.push(DeltaDiscoveryResponse.decode(encodeDeltaResponse(response)));
      return true;
    },
    read() {
      const response = wire.shift();
      if (response === undefined) return false;
      envoy.receive(response);
      return true;
    },
    request() {
      const request = envoy.takeRequest();
      if (request === undefined) return false;
      const bytes = DeltaDiscoveryRequest.encode(request).finish();
      receiveRequest(session, DeltaDiscoveryRequest.decode(bytes), simulation.now);
      return true;
    },
    reconnect(restart = false) {
      if (restart) {
        store = createResourceStore();
        store.publish(difference(world(), current));
      }
      open();
    },
    settle({ clock } = { clock: false }) {
      for (let steps = 0; steps < 100_000; steps++) {
        if (simulation.request() || simulation.write() || simulation.read()) continue;
        if (!clock) return;
        if (session.wakeAt < Number.POSITIVE_INFINITY) simulation.now = session.wakeAt;
        else if (!envoy.expire()) return;
      }
      throw new Error("the session and the client never come to rest");
    },
  };
  open();
  return simulation;
}
