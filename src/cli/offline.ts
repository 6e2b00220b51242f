import { silentLogger } from "../base/log.ts";
import { stateFolderOf } from "../infra/state-folder.ts";
import { loadDirectory } from "../inputs/files/file-input.ts";
import { type ControlPlane, createControlPlane } from "./control-plane.ts";
import { formatProblem, requireDirectory } from "./folder.ts";
import { readStandaloneSettings } from "./standalone-settings.ts";

export interface Evaluation {
  readonly control: ControlPlane;
  /** What is wrong with the files, one line each. */
  readonly problems: readonly string[];
}

/** Reads a directory once and computes everything, without serving anything. */
export async function evaluateFolder(directory: string, controllerNames: readonly string[]): Promise<Evaluation> {
  await requireDirectory(directory);
  const control = createControlPlane({
    settings: {
      ...(await readStandaloneSettings(controllerNames, await stateFolderOf(directory))),
      // Nobody logs in to what is not served, and what is made of it is not shown.
      loginKey: "00",
    },
    log: silentLogger,
    onInfrastructure: () => {},
    onStatuses: () => {},
  });
  const { batch, problems } = await loadDirectory(directory);
  control.pipeline.stage(batch);
  control.pipeline.markSynced();
  control.pipeline.commitNow();
  control.pipeline.stop();
  return { control, problems: problems.map(formatProblem) };
}
