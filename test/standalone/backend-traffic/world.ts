import { afterAll, beforeAll, test } from "@jest/globals";
import { type Backend, BEHAVIOUR_HEADER, type Behaviour } from "../../harness/backend.ts";
import { waitFor } from "../../harness/waiting.ts";
import { webSocketEcho } from "../../harness/websocket.ts";
import { policyOfRoute, routeOf } from "../policy-objects.ts";
import { serviceObjects, toYaml } from "../traffic-world.ts";
import { type Answer, createWorld, type RequestOptions, type World } from "../world.ts";

/**
 * BackendTrafficPolicies on traffic: each case is a host with a Service of its own and a policy on its route, and what is seen of the
 * policy would not be seen without it. All cases of a file are served by one Envoy.
 */
export interface TrafficCase {
  readonly name: string;
  /** Of the policy, without its targets; a function is called when all that it needs has been started. */
  readonly spec: Content | (() => Content);
  /** Of the Service; default 1. */
  readonly backends?: number;
  readonly protocol?: "h2c";
  /** More of the rule. */
  readonly rule?: Content;
  /** How backends answer, by their number. */
  readonly behave?: readonly Behaviour[];
  /** Ports that the Service leads to in place of backends. */
  readonly ports?: () => readonly number[];
  /** Of the endpoints, in their order. */
  readonly zones?: readonly string[];
  /** Of the Service's port. */
  readonly appProtocol?: string;
  /** What the route leads to in place of the Service. */
  readonly leadsTo?: (
    id: string,
    backends: readonly Backend[],
  ) => { readonly objects: readonly object[]; readonly backendRef: Content };
  readonly check: (place: TrafficPlace, world: TrafficWorld) => Promise<void>;
}

export type Content = Readonly<Record<string, unknown>>;

/** What a case has to look at its own host. */
export interface TrafficPlace {
  readonly host: string;
  readonly backends: readonly Backend[];
  send(options?: Partial<RequestOptions> & { readonly behave?: Behaviour }): Promise<Answer>;
  /** Names of the backends that so many requests in a row reach. */
  reached(times: number, options?: Partial<RequestOptions>): Promise<ReadonlySet<string | undefined>>;
  /** Status of the answer to who wants a WebSocket; 101 when there is one. */
  upgrade(): Promise<number>;
}

export interface TrafficWorld extends World {
  placeOf(name: string): TrafficPlace;
  /** Puts other settings into the policy of a case. */
  edit(name: string, spec: Content): void;
  /** Writes all again, with other `ports` where these have changed. */
  rewrite(): void;
  /** Answer of Envoy's admin interface. */
  admin(path: string): Promise<string>;
}

/** Ask often enough, and chance has no part in it. */
export const REPEATS = 12;

/** A test for each case. Answers the world for tests of their own, which is there when they run. */
export function testTrafficCases(cases: readonly TrafficCase[]): () => TrafficWorld {
  let world: TrafficWorld;
  beforeAll(async () => {
    world = await serveTrafficCases(cases);
  }, 90_000);
  afterAll(() => world?.stop(), 30_000);
  test.each(cases)("$name", ({ name, check }) => check(world.placeOf(name), world), 30_000);
  return () => world;
}

async function serveTrafficCases(cases: readonly TrafficCase[]): Promise<TrafficWorld> {
  const world = await createWorld();
  const places = new Map<string, TrafficPlace>();
  const specs = new Map<string, Content>();
  for (const [index, { name, spec, backends: count = 1, ...each }] of cases.entries()) {
    const start = (_: unknown, number: number) =>
      world.backend(`${index}-${number}`, each.protocol && { protocol: each.protocol });
    const backends = await Promise.all(Array.from({ length: each.ports ? 0 : count }, start));
    for (const [number, behaviour] of (each.behave ?? []).entries()) backends[number]?.behave(behaviour);
    places.set(name, placeAt(world, `case-${index}.traffic.test`, backends));
    specs.set(name, typeof spec === "function" ? spec() : spec);
  }
  const write = () => {
    const objects = cases.flatMap(({ name, rule, ports, zones, appProtocol, leadsTo }, index) => {
      const { host, backends } = places.get(name) as TrafficPlace;
      const id = `case-${index}`;
      const service = () => ({
        objects: serviceObjects(id, ports?.() ?? backends.map(({ port }) => port), { appProtocol }, zones),
        backendRef: { name: id, port: 80 },
      });
      const { objects: others, backendRef } = leadsTo?.(id, backends) ?? service();
      return [
        ...others,
        routeOf(id, host, { ...rule, backendRefs: [backendRef] }),
        policyOfRoute("BackendTrafficPolicy", id, specs.get(name) ?? {}),
      ];
    });
    // Refused, so that it is seen that all are served.
    const impossible = { timeout: { tcp: { connectTimeout: "0s" } } };
    const last = [routeOf("last", LAST_HOST, {}), policyOfRoute("BackendTrafficPolicy", "last", impossible)];
    world.files.writeAtomically("cases.yaml", toYaml([...objects, ...last]));
  };
  write();
  await waitFor("the last case to be served", async () => (await world.send({ host: LAST_HOST })).status === 500);
  return {
    ...world,
    placeOf: (name) => places.get(name) as TrafficPlace,
    edit(name, spec) {
      specs.set(name, spec);
      write();
    },
    rewrite: write,
    admin: async (path) => (await world.gatehouse().envoyAdmin()).admin(path),
  };
}

const LAST_HOST = "last.traffic.test";

function placeAt(world: World, host: string, backends: readonly Backend[]): TrafficPlace {
  const send: TrafficPlace["send"] = ({ behave, ...options } = {}) =>
    world.send({
      host,
      ...options,
      headers: { ...options.headers, ...(behave && { [BEHAVIOUR_HEADER]: JSON.stringify(behave) }) },
    });
  return {
    host,
    backends,
    send,
    async reached(times, options) {
      const names = new Set<string | undefined>();
      for (let time = 0; time < times; time++) names.add((await send(options)).received?.backend);
      return names;
    },
    upgrade: async () => (await webSocketEcho({ port: world.port, host, text: "hello" })).status,
  };
}
