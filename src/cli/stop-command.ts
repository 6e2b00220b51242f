import { setTimeout as delay } from "node:timers/promises";
import { DRAIN_TIMEOUT_MS } from "../infra/envoy-process.ts";
import { stopLeftEnvoy } from "../infra/host-process.ts";
import { isRunning } from "../infra/process-identity.ts";
import { readEnvoyRecords, readInstance, releaseInstance, stateFolderOf } from "../infra/state-folder.ts";

/** A Gatehouse drains its Envoys before it ends; more than this on top means that it hangs. */
const STOP_PATIENCE_MS = DRAIN_TIMEOUT_MS + 15_000;
const POLL_MS = 100;

/** Ends the Gatehouse that serves a directory, and Envoys that one left behind when it was killed. */
export async function stopFolder(directory: string, print: (line: string) => void): Promise<void> {
  const state = await stateFolderOf(directory);
  const instance = await readInstance(state);
  if (instance !== undefined) {
    print(`stopping Gatehouse (process ${instance.pid}); it drains its Envoys first`);
    process.kill(instance.pid, "SIGTERM");
    const deadline = Date.now() + STOP_PATIENCE_MS;
    while (await isRunning(instance)) {
      if (Date.now() >= deadline) {
        print(`process ${instance.pid} does not end; it is killed`);
        process.kill(instance.pid, "SIGKILL");
        await releaseInstance(state);
        break;
      }
      await delay(POLL_MS);
    }
  }
  const records = await readEnvoyRecords(state);
  const stopped = await Promise.all(records.map(({ gateway }) => stopLeftEnvoy(state, gateway)));
  const left = stopped.filter((gateway) => gateway !== undefined);
  for (const gateway of left) print(`stopped the Envoy of ${gateway}, which a killed Gatehouse had left serving`);
  if (instance === undefined && left.length === 0) print(`nothing runs for ${directory}`);
}
