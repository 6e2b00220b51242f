import type { ApiTable } from "./api-table.ts";
import { createApiApplier } from "./cluster-edit-scenario.ts";
import { inClusterWorld } from "./cluster-world.ts";
import { firstPolicies, type PolicyWorld } from "./policy-run.ts";
import { measureFloorOfPolicies, measurePolicies } from "./policy-scenario.ts";
import { progress, type Recorder } from "./results.ts";
import { awaitRest, type EditScenario, onStage } from "./stage.ts";
import type { PlainObject } from "./table.ts";

/** Policies that are removed at a time. */
const REMOVERS = 16;

/** The same as in a folder, written to the API server, with the operator and its statuses. */
export function runClusterPolicyScenario(scenario: EditScenario, recorder: Recorder): Promise<void> {
  return onStage("cluster-policies", scenario, recorder, async (stage) => {
    await inClusterWorld(stage, async ({ api, table, operator, envoy }) => {
      progress(`${stage.title}: policies of single routes`);
      const policies = firstPolicies(stage.routes);
      await api.create(policies);
      const pids = [operator.pid, envoy.pid];
      await awaitRest(pids);
      const { cpuSeconds } = operator;
      const world: PolicyWorld = {
        table,
        routes: createApiApplier(api, table),
        preparePolicy: async (object, action) => writing(api, object, action),
        pids,
        envoyPid: envoy.pid,
        cpuSeconds,
      };
      await measurePolicies(stage, world, () => removeAll(api, policies));
    });
    await measureFloorOfPolicies(stage);
  });
}

function writing(api: ApiTable, object: PlainObject, action: "write" | "remove"): () => Promise<bigint> {
  return async () => {
    const at = process.hrtime.bigint();
    // Whoever waits sees what came of it before the server has answered.
    const written = action === "write" ? api.apply(object) : api.remove(object);
    written.catch((error) => progress(`  FAILED to ${action} a policy: ${error}`));
    return at;
  };
}

async function removeAll(api: ApiTable, objects: readonly PlainObject[]): Promise<void> {
  const waiting = [...objects];
  const remover = async () => {
    for (let object = waiting.pop(); object !== undefined; object = waiting.pop()) await api.remove(object);
  };
  await Promise.all(Array.from({ length: REMOVERS }, remover));
}
