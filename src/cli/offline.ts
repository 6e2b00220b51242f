import { silentLogger } from "../base/log.ts";
import { type ControlPlane, createControlPlane } from "./control-plane.ts";
import { openFolder } from "./folder.ts";
import { readStandaloneSettings } from "./standalone-settings.ts";

export interface Evaluation {
  readonly control: ControlPlane;
  /** What is wrong with the files, as people read it. */
  readonly complaints: readonly string[];
}

/** Reads a directory once and computes everything, without serving anything. */
export async function evaluateFolder(directory: string, controllerNames: readonly string[]): Promise<Evaluation> {
  const control = createControlPlane({
    settings: await readStandaloneSettings(controllerNames),
    log: silentLogger,
    onInfrastructure: () => {},
    onStatuses: () => {},
  });
  const complaints: string[] = [];
  const folder = await openFolder(directory, {
    stage: (batch) => control.pipeline.stage(batch),
    complain: (line) => complaints.push(line),
    log: silentLogger,
  });
  control.pipeline.markSynced();
  control.pipeline.commitNow();
  await folder.close();
  control.pipeline.stop();
  return { control, complaints };
}
