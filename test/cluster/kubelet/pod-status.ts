import type { ContainerView, SupervisedContainer } from "./container.ts";
import type { ContainerStatus, Pod, PodCondition, PodStatus } from "./objects.ts";

export interface PodView {
  readonly pod: Pod;
  /** Undefined before the pod has its network. */
  readonly podAddress: string | undefined;
  readonly nodeAddress: string;
  /** RFC 3339. */
  readonly startTime: string;
  readonly initContainers: readonly SupervisedContainer[];
  readonly containers: readonly SupervisedContainer[];
  /** All containers have ended for good, or an init container has failed for good. */
  readonly finished: boolean;
}

/** The status that a kubelet reports; `lastTransitionTime`s are the caller's (see {@link stampConditions}). */
export function describePod(view: PodView): PodStatus {
  const { pod, podAddress, nodeAddress } = view;
  const initStatuses = view.initContainers.map((container) =>
    containerStatus(container, undefined, hasSucceeded(container.view())),
  );
  const initialized = view.initContainers.every(isInitialized);
  const waitingReason = initialized || view.initContainers.length === 0 ? undefined : "PodInitializing";
  const statuses = view.containers.map((container) => containerStatus(container, waitingReason));
  const phase = phaseOf(view, initialized);
  const sidecars = view.initContainers.filter(isSidecar);
  const ready = phase === "Running" && [...view.containers, ...sidecars].every((container) => container.view().ready);
  const gatesOpen = (pod.spec.readinessGates ?? []).every((gate) =>
    pod.status?.conditions?.some((condition) => condition.type === gate.conditionType && condition.status === "True"),
  );
  const done = phase === "Succeeded" ? "PodCompleted" : phase === "Failed" ? "PodFailed" : undefined;
  return {
    phase,
    conditions: [
      condition("PodReadyToStartContainers", podAddress !== undefined && done === undefined),
      condition("Initialized", initialized, "ContainersNotInitialized"),
      condition("ContainersReady", ready, done ?? "ContainersNotReady"),
      condition("Ready", ready && gatesOpen, done ?? (ready ? "ReadinessGatesNotReady" : "ContainersNotReady")),
    ],
    hostIP: nodeAddress,
    hostIPs: [{ ip: nodeAddress }],
    ...(podAddress === undefined ? {} : { podIP: podAddress, podIPs: [{ ip: podAddress }] }),
    startTime: view.startTime,
    ...(initStatuses.length === 0 ? {} : { initContainerStatuses: initStatuses }),
    containerStatuses: statuses,
  };
}

/** An init container that goes on running beside the others. */
export function isSidecar({ container }: SupervisedContainer): boolean {
  return container.restartPolicy === "Always";
}

export function hasSucceeded({ state }: ContainerView): boolean {
  return state.terminated?.exitCode === 0;
}

function isInitialized(container: SupervisedContainer): boolean {
  return isSidecar(container) ? container.view().started : hasSucceeded(container.view());
}

function phaseOf(view: PodView, initialized: boolean): NonNullable<PodStatus["phase"]> {
  if (view.finished) {
    const failed = view.containers.some((container) => !hasSucceeded(container.view()));
    return failed ? "Failed" : "Succeeded";
  }
  const begun = view.containers.every(({ view: look }) => {
    const { state, lastState } = look();
    return state.waiting === undefined || lastState !== undefined;
  });
  return initialized && begun ? "Running" : "Pending";
}

/** An init container counts as ready when it is done. */
function containerStatus(
  { container, view }: SupervisedContainer,
  waitingReason?: string,
  isDone = false,
): ContainerStatus {
  const { state, lastState, restartCount, started, ready, id } = view();
  const notYet = waitingReason !== undefined && state.waiting?.reason === "ContainerCreating";
  return {
    name: container.name,
    image: container.image ?? "",
    imageID: container.image ?? "",
    state: notYet ? { waiting: { reason: waitingReason } } : state,
    ...(lastState === undefined ? {} : { lastState }),
    restartCount,
    started,
    ready: ready || isDone,
    ...(id === undefined ? {} : { containerID: `crun://${id}` }),
  };
}

function condition(type: string, holds: boolean, reason?: string): PodCondition {
  return { type, status: holds ? "True" : "False", ...(holds || reason === undefined ? {} : { reason }) };
}

/** Keeps the time of each condition until its status flips. */
export function stampConditions(
  conditions: readonly PodCondition[],
  before: readonly PodCondition[],
  time: string,
): PodCondition[] {
  return conditions.map((next) => {
    const last = before.find((condition) => condition.type === next.type);
    const unchanged = last !== undefined && last.status === next.status;
    return { ...next, lastTransitionTime: unchanged ? last.lastTransitionTime : time };
  });
}
