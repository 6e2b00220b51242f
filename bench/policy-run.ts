import { median } from "../test/harness/percentile.ts";
import { processCpu } from "../test/harness/process.ts";
import { pause } from "../test/harness/waiting.ts";
import { type Applier, type Edit, measureEdit } from "./edits.ts";
import { gatewayPolicy, POSTED_BYTES, type PolicyState, REFUSED_STATUS, routePolicy } from "./policy-objects.ts";
import type { ProberMethods, SweepSighting } from "./prober-process.ts";
import { awaitRestUnderLoad, type Stage } from "./stage.ts";
import { type PlainObject, REVISION_HEADER, routeAddress, type TableOptions } from "./table.ts";
import { startWorker, type Worker } from "./worker.ts";

/** Where policies are written, and how edits of routes and policies reach Envoy. */
export interface PolicyWorld {
  readonly table: TableOptions;
  readonly routes: Applier;
  /** Does all that need not be measured; the call of the result writes and says when, by the monotonic clock. */
  preparePolicy(object: PlainObject, action: "write" | "remove"): Promise<() => Promise<bigint>>;
  /** Processes that come to rest after a change. */
  readonly pids: readonly number[];
  readonly envoyPid: number;
  /** Seconds of CPU of the control plane; the floor has none. */
  cpuSeconds?(): number;
}

const CHANGE_LIMIT_MS = 120_000;
const EDIT_LIMIT_MS = 60_000;
/** Hosts all over the table that are asked whether a Gateway's policy is in effect there; the first and the last are among them. */
const PLACES = 100;
/** From the start of a Gateway's policy change to the first edit beside it, and between two such edits. */
const BESIDE_PAUSE_MS = 100;
const NANOSECONDS_PER_MILLISECOND = 1e6;
const MILLISECONDS_PER_SECOND = 1_000;

const lenient: PolicyState = { refuses: false, maxConnections: 1_024 };

/** Routes that have a policy of their own: each tenth. */
export function routesWithPolicy(routes: number): number[] {
  return Array.from({ length: Math.max(1, Math.floor(routes / 10)) }, (_, i) => i * 10);
}

export function firstPolicies(routes: number): PlainObject[] {
  return routesWithPolicy(routes).map((index) => routePolicy(index, lenient));
}

export const policyEditKinds = ["route", "policy_of_requests", "policy_of_clusters"] as const;
export type PolicyEditKind = (typeof policyEditKinds)[number];

/** Edits of a route and of policies of single routes, one after the other in turn, so that all have the same machine. */
export async function measurePolicyEdits(
  stage: Stage,
  world: PolicyWorld,
): Promise<ReadonlyMap<PolicyEditKind, readonly number[]>> {
  const latencies = new Map<PolicyEditKind, number[]>(policyEditKinds.map((kind) => [kind, []]));
  const withPolicy = routesWithPolicy(stage.routes);
  const spread = (i: number) => withPolicy[Math.floor(((i + 0.5) * withPolicy.length) / stage.edits)]!;
  for (let i = 0; i < stage.edits; i++) {
    const index = spread(i);
    const edits: Record<PolicyEditKind, () => Promise<number>> = {
      route: () => editRoute(stage, world, index, `edited-${i}`),
      policy_of_requests: () => editPolicy(stage, world, index, { ...lenient, refuses: true }),
      policy_of_clusters: () => editPolicy(stage, world, index, { refuses: false, maxConnections: 2_000 + i }),
    };
    for (const kind of policyEditKinds) latencies.get(kind)!.push(await edits[kind]());
  }
  return latencies;
}

async function editRoute(stage: Stage, world: PolicyWorld, index: number, revision: string): Promise<number> {
  const { host, path } = routeAddress(world.table.shape, index);
  const header = { name: REVISION_HEADER, value: revision };
  const watch = { port: world.table.port, host, path, status: 200, header, limitMs: EDIT_LIMIT_MS };
  const edit: Edit = { kind: "update", index, state: { revision }, watch };
  return (await measureEdit(edit, world.routes, stage.prober)).ms;
}

async function editPolicy(stage: Stage, world: PolicyWorld, index: number, state: PolicyState): Promise<number> {
  const { host, path } = routeAddress(world.table.shape, index);
  let write = (): Promise<bigint> => Promise.reject(new Error("nothing was prepared"));
  const applier: Applier = {
    async prepare() {
      write = await world.preparePolicy(routePolicy(index, state), "write");
    },
    apply: () => write(),
  };
  const status = state.refuses ? REFUSED_STATUS : 200;
  const watch = { port: world.table.port, host, path, status, postsBytes: POSTED_BYTES, limitMs: EDIT_LIMIT_MS };
  return (await measureEdit({ kind: "update", index, state: undefined, watch }, applier, stage.prober)).ms;
}

export type GatewayChange = "add" | "edit" | "remove";

/** Each is seen by what comes after: big requests are refused, or pass. */
const steps: readonly { readonly change: GatewayChange; readonly refuses: boolean }[] = [
  { change: "add", refuses: true },
  { change: "edit", refuses: false },
  { change: "edit", refuses: true },
  { change: "remove", refuses: false },
];

/** One change of the Gateway's policy. Times in milliseconds from the write. */
export interface GatewayChangeFigures {
  readonly change: GatewayChange;
  readonly first: number;
  readonly last: number;
  /** Of edits of another route that were made meanwhile. */
  readonly besides: readonly number[];
  readonly controlCpu: number;
  readonly envoyCpu: number;
}

/**
 * Adds, edits and removes a policy of the Gateway.
 *
 * @param beside an edit of one route after the other is made until the change is in effect
 */
export async function measureGatewayPolicy(
  stage: Stage,
  world: PolicyWorld,
  round: number,
  beside: boolean,
): Promise<GatewayChangeFigures[]> {
  const sweeper = startWorker<ProberMethods>("./prober-process.ts");
  try {
    const figures: GatewayChangeFigures[] = [];
    for (const [step, { change, refuses }] of steps.entries()) {
      const state = { refuses, maxConnections: 3_000 + steps.length * round + step };
      figures.push(await measureChange(stage, world, sweeper, { change, state, beside }));
      await awaitRestUnderLoad(world.pids);
    }
    return figures;
  } finally {
    sweeper.stop();
  }
}

async function measureChange(
  stage: Stage,
  world: PolicyWorld,
  sweeper: Worker<ProberMethods>,
  { change, state, beside }: { change: GatewayChange; state: PolicyState; beside: boolean },
): Promise<GatewayChangeFigures> {
  const { shape, port } = world.table;
  const write = await world.preparePolicy(gatewayPolicy(state), change === "remove" ? "remove" : "write");
  const last = stage.routes - 1;
  const places = Array.from({ length: PLACES }, (_, i) => routeAddress(shape, Math.round((i * last) / (PLACES - 1))));
  const status = state.refuses ? REFUSED_STATUS : 200;
  const cpu = { control: world.cpuSeconds?.() ?? 0, envoy: processCpu(world.envoyPid).main };
  let sighting: SweepSighting | undefined;
  const watch = { port, places, status, postsBytes: POSTED_BYTES, limitMs: CHANGE_LIMIT_MS };
  const sweeping = sweeper.call("sweep", watch, CHANGE_LIMIT_MS).then((seen) => {
    sighting = seen;
    return seen;
  });
  const atNs = await write();
  const besides: number[] = [];
  for (let i = 0; beside && sighting === undefined; i++) {
    await pause(BESIDE_PAUSE_MS);
    if (sighting === undefined)
      besides.push(await editRoute(stage, world, 1, `${change}-${state.maxConnections}-${i}`));
  }
  const { firstNs, lastNs } = await sweeping;
  const ms = (ns: bigint) => Number(ns - atNs) / NANOSECONDS_PER_MILLISECOND;
  return {
    change,
    first: ms(firstNs),
    last: ms(lastNs),
    besides,
    controlCpu: ((world.cpuSeconds?.() ?? 0) - cpu.control) * MILLISECONDS_PER_SECOND,
    envoyCpu: (processCpu(world.envoyPid).main - cpu.envoy) * MILLISECONDS_PER_SECOND,
  };
}

/** What edits of a route took beside a change beyond what they take at rest: the longest. */
export function longestDelay(besides: readonly number[], atRest: readonly number[]): number {
  return Math.max(0, ...besides) - median(atRest);
}
