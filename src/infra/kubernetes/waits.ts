import type { KubeObject } from "../../kube/resource-type.ts";
import type { InfrastructureWaits } from "../../pipeline/sources.ts";

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface WorkloadFields {
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly desiredNumberScheduled?: number;
    readonly conditions?: readonly Condition[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
  readonly lastState?: { readonly terminated?: { readonly exitCode: number; readonly reason?: string } };
}

/** What is read of a pod. */
export interface PodFields extends KubeObject {
  readonly status?: {
    readonly hostIP?: string;
    readonly conditions?: readonly Condition[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

export const isWorkload = ({ kind }: KubeObject): boolean => kind === "Deployment" || kind === "DaemonSet";

/**
 * What keeps clients from a gateway, as far as its objects tell.
 *
 * @param ready whether a pod is
 * @param trouble what the pods themselves say
 */
export function describeWaits(
  live: readonly KubeObject[],
  ready: boolean,
  trouble: string | undefined,
): InfrastructureWaits {
  const pods = ready ? undefined : describePodWait(live.find(isWorkload), trouble);
  const address = describeAddressWait(live.find(({ kind }) => kind === "Service"));
  return { ...(pods !== undefined && { pods }), ...(address !== undefined && { address }) };
}

function describePodWait(workload: KubeObject | undefined, trouble: string | undefined): string {
  if (workload === undefined) return "its Deployment or DaemonSet is not there yet";
  const { kind, metadata } = workload;
  const name = `${kind} ${metadata.namespace}/${metadata.name}`;
  const { spec, status } = workload as WorkloadFields;
  const wanted = kind === "Deployment" ? (spec?.replicas ?? 1) : (status?.desiredNumberScheduled ?? 0);
  if (wanted === 0) {
    const cause = kind === "Deployment" ? "replicas is 0" : "its pods fit on no node";
    return `${name} has no pods, since ${cause}`;
  }
  const failure = status?.conditions?.find((condition) => condition.type === "ReplicaFailure");
  const why = failure?.status === "True" ? failure.message : trouble;
  return `of ${wanted} wanted by ${name} none is ready${why === undefined ? "" : `: ${why}`}`;
}

function describeAddressWait(service: KubeObject | undefined): string | undefined {
  if (service === undefined) return "its Service is not there yet";
  const { type, clusterIP } = (service as { spec?: { type?: string; clusterIP?: string } }).spec ?? {};
  const name = `Service ${service.metadata.namespace}/${service.metadata.name}`;
  if (type === "LoadBalancer") return `no load balancer has given ${name} one yet; see its events`;
  return clusterIP === "None" ? `${name} is headless, and only its pods have addresses` : undefined;
}

/** States of a container that pass by themselves. */
const USUAL: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing"]);

/** What hinders a pod; undefined: it runs, or is only starting. */
export function describePodTrouble({ metadata, status = {} }: PodFields): string | undefined {
  const unscheduled = status.conditions?.find(
    ({ type, status: value }) => type === "PodScheduled" && value === "False",
  );
  if (unscheduled !== undefined) return `pod ${metadata.name} cannot be scheduled: ${unscheduled.message}`;
  for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
    const trouble = describeContainer(container);
    if (trouble !== undefined) return `container ${container.name} of pod ${metadata.name} ${trouble}`;
  }
  return undefined;
}

function describeContainer({ state, lastState }: ContainerStatus): string | undefined {
  const { reason, message } = state?.waiting ?? {};
  const last = lastState?.terminated;
  const ended = last === undefined ? "" : `, after it ended with exit code ${last.exitCode}`;
  if (reason !== undefined && !USUAL.has(reason)) {
    return `waits with ${reason}${message === undefined ? "" : ` (${message})`}${ended}`;
  }
  return last === undefined ? undefined : `runs again${ended}`;
}
