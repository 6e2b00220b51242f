import { type TemporaryDirectory, temporaryDirectory } from "../test/harness/directory.ts";
import { startGatehouse } from "../test/harness/gatehouse.ts";
import { median, percentile } from "../test/harness/percentile.ts";
import { freePort } from "../test/harness/ports.ts";
import { createFileApplier, gatehouseArguments, launcher, writeTable } from "./edit-scenario.ts";
import { startFloor } from "./floor.ts";
import { ENVOY_WORKERS } from "./floor-run.ts";
import { batchOf, createInProcessTable } from "./in-process-table.ts";
import {
  firstPolicies,
  type GatewayChangeFigures,
  longestDelay,
  measureGatewayPolicy,
  measurePolicyEdits,
  type PolicyWorld,
} from "./policy-run.ts";
import { progress, type Recorder } from "./results.ts";
import {
  awaitRestUnderLoad,
  awaitTable,
  type EditScenario,
  onStage,
  recordLoad,
  type Stage,
  startSteadyLoad,
  whileRunning,
} from "./stage.ts";
import {
  FIRST_REVISION,
  fileText,
  gatewayObjects,
  type PlainObject,
  routeObjects,
  type TableOptions,
} from "./table.ts";

/** How often a policy of the Gateway is added, edited and removed, alone and with edits of a route beside it. */
const ROUNDS = 2;

/** Policies on a tenth of the routes, and then one of the Gateway for all of them, under traffic with the real Envoy. */
export function runPolicyScenario(scenario: EditScenario, recorder: Recorder): Promise<void> {
  return onStage("policies", scenario, recorder, async (stage) => {
    await runEndToEnd(stage);
    await measureFloorOfPolicies(stage);
  });
}

async function runEndToEnd(stage: Stage): Promise<void> {
  const { title } = stage;
  const table: TableOptions = { shape: stage.shape, port: await freePort(), backendPort: stage.backends.a };
  const files = temporaryDirectory("gatehouse-bench");
  writeTable(files, table, stage.routes);
  for (const policy of firstPolicies(stage.routes)) files.write(fileOf(policy), fileText([policy]));
  progress(`${title}: cold start`);
  const gatehouse = await startGatehouse({
    directory: files.path,
    startOnly: true,
    launcher,
    args: gatehouseArguments,
  });
  try {
    await whileRunning(gatehouse, awaitTable(stage, table));
    const envoyPid = (await gatehouse.envoyPids())[0]!;
    const world: PolicyWorld = {
      table,
      routes: createFileApplier(files, table),
      preparePolicy: async (object, action) => prepareFile(files, object, action),
      pids: [gatehouse.pid, envoyPid],
      envoyPid,
      cpuSeconds: gatehouse.cpuSeconds,
    };
    await awaitRestUnderLoad(world.pids);
    await measurePolicies(stage, world, async () => {
      for (const policy of firstPolicies(stage.routes)) files.remove(fileOf(policy));
    });
  } finally {
    await gatehouse.stop();
    files.discard();
  }
}

const fileOf = (policy: PlainObject) => `policy-${policy.metadata.name}.yaml`;

function prepareFile(
  files: TemporaryDirectory,
  object: PlainObject,
  action: "write" | "remove",
): () => Promise<bigint> {
  const name = fileOf(object);
  const change = action === "write" ? files.prepare(name, fileText([object])) : () => files.remove(name);
  return async () => {
    const at = process.hrtime.bigint();
    change();
    return at;
  };
}

/** @param removePolicies takes the policies of single routes away */
export async function measurePolicies(
  stage: Stage,
  world: PolicyWorld,
  removePolicies: () => Promise<void>,
): Promise<void> {
  const { recorder, title } = stage;
  const load = await startSteadyLoad(stage, world.table);
  progress(`${title}: edits of policies of single routes`);
  const edits = await measurePolicyEdits(stage, world);
  const atRest = edits.get("route")!;
  for (const [kind, values] of edits) {
    recorder.addDistribution(`edit_${kind}`, "ms", values);
    if (kind === "route") continue;
    recorder.add(`ratio_${kind}`, "ratio", median(values) / median(atRest));
    recorder.add(`ratio_${kind}_p99`, "ratio", p99(values) / p99(atRest));
  }
  await removePolicies();
  await awaitRestUnderLoad(world.pids);
  progress(`${title}: a policy of the Gateway`);
  const alone: GatewayChangeFigures[] = [];
  const besides: GatewayChangeFigures[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(...(await measureGatewayPolicy(stage, world, 2 * round, false)));
    besides.push(...(await measureGatewayPolicy(stage, world, 2 * round + 1, true)));
  }
  recordLoad(recorder, "", await load.stop());
  recordGatewayChanges(recorder, "", alone);
  recordGatewayChanges(recorder, "_beside_edits", besides);
  const delays = besides.flatMap((each) => each.besides);
  recorder.addDistribution("edit_beside", "ms", delays);
  recorder.add("edit_beside_delay", "ms", median(delays) - median(atRest));
  recorder.add("edit_beside_delay_max", "ms", longestDelay(delays, atRest));
}

function p99(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.99,
  );
}

function recordGatewayChanges(recorder: Recorder, suffix: string, figures: readonly GatewayChangeFigures[]): void {
  for (const change of ["add", "edit", "remove"] as const) {
    const own = figures.filter((each) => each.change === change);
    recorder.add(`gateway_${change}_first${suffix}`, "ms", median(own.map(({ first }) => first)));
    recorder.add(`gateway_${change}_last${suffix}`, "ms", median(own.map(({ last }) => last)));
    recorder.add(`gateway_${change}_last_max${suffix}`, "ms", Math.max(...own.map(({ last }) => last)));
  }
  recorder.add(`gateway_control_cpu${suffix}`, "ms", median(figures.map(({ controlCpu }) => controlCpu)));
  recorder.add(`gateway_envoy_main_cpu${suffix}`, "ms", median(figures.map(({ envoyCpu }) => envoyCpu)));
}

/** The same changes of the Gateway's policy with nothing but Envoy, in one response for each type. */
export async function measureFloorOfPolicies(stage: Stage): Promise<void> {
  progress(`${stage.title}: the floor`);
  const table: TableOptions = { shape: stage.shape, port: await freePort(), backendPort: stage.backends.a };
  const initial = [...gatewayObjects(table)];
  for (let i = 0; i < stage.routes; i++) initial.push(...routeObjects(table, i, { revision: FIRST_REVISION }));
  const inProcess = createInProcessTable(batchOf(initial));
  const floor = await startFloor(inProcess.commit().changes, ENVOY_WORKERS);
  try {
    await awaitTable(stage, table);
    const load = await startSteadyLoad(stage, table);
    const world: PolicyWorld = {
      table,
      routes: { prepare: () => Promise.reject(new Error("no edits on the floor")), apply: () => floor.fire() },
      async preparePolicy(object, action) {
        inProcess.stage(action === "write" ? batchOf([object]) : batchOf([], [object]));
        await floor.arm(inProcess.commit().changes);
        return () => floor.fire();
      },
      pids: [floor.envoy.pid],
      envoyPid: floor.envoy.pid,
    };
    await awaitRestUnderLoad(world.pids);
    const figures: GatewayChangeFigures[] = [];
    for (let round = 0; round < ROUNDS; round++)
      figures.push(...(await measureGatewayPolicy(stage, world, round, false)));
    recordLoad(stage.recorder, "_on_floor", await load.stop());
    recordGatewayChanges(stage.recorder, "_on_floor", figures);
  } finally {
    inProcess.stop();
    await floor.stop();
  }
}
