import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFiles } from "./atomic-files.ts";
import { expandVariables } from "./environment.ts";
import { isGroupMapped } from "./id-maps.ts";
import type { Container, Obstacle, Outcome, Pod, PodFacts, Sources, Volume } from "./objects.ts";
import { type IssueToken, isRendered, renderVolume } from "./volume-files.ts";

/** A file or folder of this machine that appears in a container. */
export interface Mount {
  readonly source: string;
  readonly destination: string;
  readonly readOnly: boolean;
}

export interface PodVolumes {
  /** Brings every volume up to date with its sources. Returns what is still missing. */
  refresh(pod: Pod): Promise<Obstacle | undefined>;
  mountsOf(container: Container, environment: ReadonlyMap<string, string>): Outcome<Mount[]>;
  remove(): void;
}

/** The volumes of one pod, each a folder below `folder`. */
export function createPodVolumes(
  folder: string,
  facts: PodFacts,
  sources: Sources,
  issueToken: IssueToken,
): PodVolumes {
  const sourcesOfMounts = new Map<string, { readonly path: string; readonly rendered: boolean }>();

  const prepare = async (volume: Volume, pod: Pod): Promise<Obstacle | undefined> => {
    const { fsGroup } = pod.spec.securityContext ?? {};
    const group = fsGroup !== undefined && isGroupMapped(fsGroup) ? fsGroup : undefined;
    const path = volume.hostPath?.path ?? join(folder, volume.name);
    if (isRendered(volume)) {
      const outcome = await renderVolume(volume, pod, facts, sources, issueToken);
      if (outcome.obstacle)
        return { ...outcome.obstacle, message: `volume ${volume.name}: ${outcome.obstacle.message}` };
      replaceFiles(path, outcome.value, group);
    } else if (volume.emptyDir) {
      if (!existsSync(path)) makeShared(path, group);
    } else if (volume.hostPath) {
      const obstacle = prepareHostPath(path, volume.hostPath.type ?? "");
      if (obstacle) return { reason: "FailedMount", message: `volume ${volume.name}: ${obstacle}` };
    } else {
      return { reason: "FailedMount", message: `volume ${volume.name}: this kind of volume is not supported here` };
    }
    sourcesOfMounts.set(volume.name, { path, rendered: isRendered(volume) });
    return undefined;
  };

  // One refresh at a time: two would swap each other's links.
  let turn: Promise<unknown> = Promise.resolve();
  const refresh = async (pod: Pod): Promise<Obstacle | undefined> => {
    let first: Obstacle | undefined;
    for (const volume of pod.spec.volumes ?? []) first = (await prepare(volume, pod)) ?? first;
    return first;
  };

  return {
    refresh(pod) {
      const next = turn.then(() => refresh(pod));
      turn = next.catch(() => {});
      return next;
    },
    mountsOf(container, environment) {
      const mounts: Mount[] = [];
      for (const mount of container.volumeMounts ?? []) {
        const volume = sourcesOfMounts.get(mount.name);
        if (volume === undefined) {
          return { obstacle: { reason: "CreateContainerConfigError", message: `no volume ${mount.name}` } };
        }
        const subPath = mount.subPathExpr ? expandVariables(mount.subPathExpr, environment) : mount.subPath;
        mounts.push({
          source: subPath ? resolveSubPath(volume.path, subPath) : volume.path,
          destination: mount.mountPath,
          // What the kubelet renders is read-only whatever the mount says.
          readOnly: volume.rendered || mount.readOnly === true,
        });
      }
      return { value: mounts };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A sub-path that is not there becomes a folder. One in a rendered volume is pinned to its version, as in a real kubelet. */
function resolveSubPath(volume: string, subPath: string): string {
  const path = join(volume, subPath);
  if (!path.startsWith(`${volume}/`)) throw new Error(`subPath ${subPath} leads out of the volume`);
  if (!existsSync(path)) mkdirSync(path, { recursive: true, mode: 0o750 });
  return realpathSync(path);
}

function makeShared(path: string, group: number | undefined): void {
  mkdirSync(path, { recursive: true });
  if (group !== undefined) chownSync(path, 0, group);
  chmodSync(path, group === undefined ? 0o777 : 0o2777);
}

function prepareHostPath(path: string, type: string): string | undefined {
  if (type === "DirectoryOrCreate") mkdirSync(path, { recursive: true });
  if (type === "FileOrCreate" && !existsSync(path)) writeFileSync(path, "");
  return existsSync(path) ? undefined : `hostPath ${path} does not exist`;
}
