import { findImage } from "../images.ts";
import type { Bundle } from "./bundle.ts";
import { expandVariables, resolveEnvironment } from "./environment.ts";
import type { Container, NodeContext, Outcome, Pod } from "./objects.ts";
import type { Sandbox } from "./sandbox.ts";
import { identify } from "./security.ts";
import type { Mount } from "./volumes.ts";

export interface LaunchOptions {
  readonly container: Container;
  readonly pod: Pod;
  readonly context: NodeContext;
  readonly sandbox: Sandbox;
  /** Of this container alone, beside what its pod has. */
  readonly files: readonly Mount[];
}

/** How to run a container: its spec, its image and its pod put together, or what is missing. */
export function planLaunch(options: LaunchOptions): Outcome<Bundle> {
  const { container, pod, context, sandbox } = options;
  const unsupported = findUnsupported(container, pod);
  if (unsupported)
    return { obstacle: { reason: "CreateContainerConfigError", message: `${unsupported} is not supported here` } };
  const image = findImage(context.images, container.image ?? "");
  if (image === undefined) {
    return { obstacle: { reason: "ErrImagePull", message: `no image of this cluster matches ${container.image}` } };
  }
  const environment = resolveEnvironment(container, pod, sandbox.facts, context.sources, image.env);
  if (environment.obstacle) return environment;
  const identity = identify(container, pod, image);
  if (identity.obstacle) return identity;
  const mounts = sandbox.volumes.mountsOf(container, environment.value);
  if (mounts.obstacle) return mounts;
  const expand = (texts: readonly string[]) => texts.map((text) => expandVariables(text, environment.value));
  const entrypoint = container.command?.length ? expand(container.command) : (image.entrypoint ?? []);
  const replaced = container.args?.length || container.command?.length;
  const args = replaced ? expand(container.args ?? []) : (image.command ?? []);
  return {
    value: {
      args: [...entrypoint, ...args],
      environment: environment.value,
      workingDirectory: container.workingDir || image.workingDirectory || "/",
      identity: identity.value,
      hostname: pod.spec.hostname ?? pod.metadata.name,
      netns: sandbox.netns,
      files: image.files ?? {},
      mounts: [...sandbox.nameFiles, ...options.files, ...mounts.value],
    },
  };
}

/** A field that would be ignored silently otherwise. */
function findUnsupported(container: Container, pod: Pod): string | undefined {
  if (pod.spec.hostPID) return "spec.hostPID";
  if (pod.spec.hostIPC) return "spec.hostIPC";
  if (pod.spec.shareProcessNamespace) return "spec.shareProcessNamespace";
  if (container.ports?.some((port) => port.hostPort !== undefined && !pod.spec.hostNetwork)) return "hostPort";
  if (container.volumeDevices?.length) return "volumeDevices";
  if (container.tty || container.stdin) return "tty and stdin";
  return undefined;
}
