import type { GatewayReport } from "../pipeline/listener-reports.ts";
import { type DesiredCondition, judge, judgeExtra } from "./conditions.ts";
import { findGatewayFault } from "./gateway-fault.ts";
import {
  buildListenerStatus,
  describeInvalid,
  isAnyAwaited,
  isTrue,
  type ListenerStatus,
  listenersOf,
} from "./listener-status.ts";

export interface GatewayStatus {
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly DesiredCondition[];
  readonly listeners: readonly ListenerStatus[];
  /** Left out where ListenerSets are not asked for, since older clusters do not know the field. */
  readonly attachedListenerSets?: number;
}

/** Gateway API, GatewayStatus: at most so many addresses. */
const ADDRESSES_MAX = 16;

/** The whole status of a Gateway. */
export function buildGatewayStatus(report: GatewayReport): GatewayStatus {
  const { spec, metadata } = report.object;
  const listeners = report.plan.listeners.map((listener) => buildListenerStatus(report, listener, metadata.generation));
  const takesSets = (spec.allowedListeners?.namespaces?.from ?? "None") !== "None";
  return {
    addresses: report.addresses.slice(0, ADDRESSES_MAX),
    conditions: [
      judgeAccepted(report, listeners),
      judgeProgrammed(report, listeners),
      judgeReferences(report, listeners),
      ...judgeExtra(["InsecureFrontendValidationMode"], report.plan.notices ?? [], report.object.metadata.generation),
    ],
    listeners,
    ...(takesSets && { attachedListenerSets: report.listenerSets.attached }),
  };
}

/**
 * Gateway API, GatewayConditionAccepted: with bad listeners accepted or not, but never without saying which ones they are. Listeners of
 * ListenerSets count as the Gateway's (ListenerSetSpec.listeners).
 */
function judgeAccepted(report: GatewayReport, listeners: readonly ListenerStatus[]): DesiredCondition {
  const good = { reason: "Accepted", message: "The Gateway is accepted" };
  const verdict = judge("Accepted", report.plan.problems, good, report.object.metadata.generation);
  const { attached } = report.listenerSets;
  const message = describeInvalid(listeners, attached > 0 ? "those of ListenerSets" : undefined);
  if (verdict.status === "False" || message === undefined) return verdict;
  const some = attached > 0 || listeners.some((listener) => isTrue(listener, "Accepted"));
  return { ...verdict, status: some ? "True" : "False", reason: "ListenersNotValid", message };
}

/** Gateway API, GatewayConditionResolvedRefs: references of the Gateway itself, and what its listeners say of theirs, summed up. */
function judgeReferences(report: GatewayReport, listeners: readonly ListenerStatus[]): DesiredCondition {
  const bad = listeners.filter((listener) => !isTrue(listener, "ResolvedRefs"));
  const message = `References of ${listenersOf(bad)} cannot be followed; see the conditions of the listeners`;
  return judge(
    "ResolvedRefs",
    bad.length === 0
      ? report.referenceProblems
      : [...report.referenceProblems, { condition: "ResolvedRefs", reason: "ListenersNotResolved", message }],
    { reason: "ResolvedRefs", message: "All references are resolved" },
    report.object.metadata.generation,
  );
}

function judgeProgrammed(report: GatewayReport, listeners: readonly ListenerStatus[]): DesiredCondition {
  const serving = listeners.filter((listener) => isTrue(listener, "Programmed"));
  const fault = findProgrammingFault(report, listeners, serving.length);
  const envoys = report.connected === 1 ? "1 Envoy" : `${report.connected} Envoys`;
  const addresses = report.addresses.map(({ value }) => value).join(", ");
  const { attached } = report.listenerSets;
  const sets =
    attached === 0 ? "" : `, beside those of ${attached === 1 ? "1 ListenerSet" : `${attached} ListenerSets`}`;
  const message = `Reached at ${addresses}, with ${envoys} connected; ${serving.length} of ${listeners.length} listeners serve${sets}`;
  return judge(
    "Programmed",
    fault === undefined ? [] : [{ condition: "Programmed", ...fault }],
    { reason: "Programmed", message },
    report.object.metadata.generation,
  );
}

function findProgrammingFault(
  report: GatewayReport,
  listeners: readonly ListenerStatus[],
  serving: number,
): { readonly reason: string; readonly message: string } | undefined {
  const { plan, listenerSets } = report;
  if (plan.ports.length === 0 && listenerSets.attached === 0) {
    return { reason: "Invalid", message: "No listener can be served; see the other conditions" };
  }
  const fault = findGatewayFault(report);
  if (fault !== undefined) return fault;
  if (serving > 0 || listenerSets.serving) return undefined;
  const refusals = Object.values(report.progress).flatMap((progress) =>
    progress.state === "Rejected" ? [progress.error] : [],
  );
  const unusable = refusals.find((words) => plan.bindAddress !== undefined && addressMissing.test(words));
  if (unusable !== undefined) {
    const message = `Address ${plan.bindAddress} is none of this host, as Envoy found out (${unusable}); write one that is, or none for all`;
    return { reason: "AddressNotUsable", message };
  }
  // Waiting is for those who can be served: a listener without a certificate waits for its user, not for Envoy.
  if (refusals.length === 0 && (isAnyAwaited(listeners) || listenerSets.attached > 0)) {
    return { reason: "Pending", message: "Envoy has not acknowledged any listener yet" };
  }
  return { reason: "Invalid", message: "No listener can serve; see the conditions of the listeners" };
}

/** How Envoy passes on EADDRNOTAVAIL when it cannot bind. */
const addressMissing = /cannot bind .*Cannot assign requested address/;
