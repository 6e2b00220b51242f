import { isSameAddress } from "../attach/address.ts";
import type { GatewayReport } from "../pipeline/status-reports.ts";
import { type DesiredCondition, judge, judgeExtra } from "./conditions.ts";
import { buildListenerStatus, isTrue, type ListenerStatus } from "./listener-status.ts";

export interface GatewayStatus {
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly DesiredCondition[];
  readonly listeners: readonly ListenerStatus[];
}

/** Gateway API, GatewayStatus: at most so many addresses. */
const ADDRESSES_MAX = 16;

/** The whole status of a Gateway. */
export function buildGatewayStatus(report: GatewayReport): GatewayStatus {
  const listeners = report.plan.listeners.map((listener) => buildListenerStatus(report, listener));
  return {
    addresses: report.addresses.slice(0, ADDRESSES_MAX),
    conditions: [
      judgeAccepted(report, listeners),
      judgeProgrammed(report, listeners),
      judgeReferences(report, listeners),
      ...judgeExtra(["InsecureFrontendValidationMode"], report.plan.notices ?? [], report.object.metadata.generation),
    ],
    listeners,
  };
}

/** Gateway API, GatewayConditionAccepted: with bad listeners accepted or not, but never without saying which ones they are. */
function judgeAccepted(report: GatewayReport, listeners: readonly ListenerStatus[]): DesiredCondition {
  const good = { reason: "Accepted", message: "The Gateway is accepted" };
  const verdict = judge("Accepted", report.plan.problems, good, report.object.metadata.generation);
  if (verdict.status === "False") return verdict;
  const bad = listeners.filter((listener) => !isTrue(listener, "Accepted") || !isTrue(listener, "ResolvedRefs"));
  if (bad.length === 0) return verdict;
  const accepted = listeners.filter((listener) => isTrue(listener, "Accepted"));
  const all = accepted.length === listeners.length;
  const some = all ? "all are accepted nevertheless" : `accepted are ${namesOf(accepted)}`;
  const rest = accepted.length === 0 ? "none is accepted" : some;
  return {
    ...verdict,
    status: accepted.length === 0 ? "False" : "True",
    reason: "ListenersNotValid",
    message: `Something is wrong with ${listenersOf(bad)}, and ${rest}; see the conditions of the listeners.`,
  };
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
  const message = `Reached at ${addresses}, with ${envoys} connected; ${serving.length} of ${listeners.length} listeners serve`;
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
  const { plan, connected, addresses, waits = {} } = report;
  if (plan.ports.length === 0) {
    return { reason: "Invalid", message: "No listener can be served; see the other conditions" };
  }
  if (plan.problems.length > 0) {
    return {
      reason: "Invalid",
      message: "What the Gateway asks for cannot be had, so what runs is as it was before; see the other conditions",
    };
  }
  if (report.fault?.ofAddresses) {
    const message = `Addresses that are asked for cannot be had: ${report.fault.text}; write others into spec.addresses, or none for any`;
    return { reason: "AddressNotUsable", message };
  }
  if (report.fault !== undefined) {
    const message = `What runs the Gateway cannot be written as asked: ${report.fault.text}; mend the EnvoyProxy or what stands in its way`;
    return { reason: "NoResources", message };
  }
  if (waits.pods !== undefined) {
    return { reason: "NoResources", message: `No pod of Envoy is ready: ${waits.pods}` };
  }
  if (connected === 0) {
    return {
      reason: "NoResources",
      message: "No Envoy of this Gateway is connected, so nothing is known to be served",
    };
  }
  const missing = findMissingAddresses(report);
  if (missing !== undefined) return { reason: "AddressNotUsable", message: missing };
  if (addresses.length === 0) {
    const why = waits.address === undefined ? "" : `: ${waits.address}`;
    return { reason: "AddressNotAssigned", message: `The Gateway has no address yet${why}` };
  }
  if (serving > 0) return undefined;
  const refusals = Object.values(report.progress).flatMap((progress) =>
    progress.state === "Rejected" ? [progress.error] : [],
  );
  const unusable = refusals.find((words) => plan.bindAddress !== undefined && addressMissing.test(words));
  if (unusable !== undefined) {
    const message = `Address ${plan.bindAddress} is none of this host, as Envoy found out (${unusable}); write one that is, or none for all`;
    return { reason: "AddressNotUsable", message };
  }
  // Waiting is for those who can be served: a listener without a certificate waits for its user, not for Envoy.
  if (refusals.length === 0 && listeners.some(({ conditions }) => conditions.some(isAwaited))) {
    return { reason: "Pending", message: "Envoy has not acknowledged any listener yet" };
  }
  return { reason: "Invalid", message: "No listener can serve; see the conditions of the listeners" };
}

/** Addresses that are asked for and that nobody has given; on a host Envoy binds the address itself, and says when it cannot. */
function findMissingAddresses({ plan, addresses, waits }: GatewayReport): string | undefined {
  if (plan.bindAddress !== undefined) return undefined;
  const given = addresses.map(({ value }) => value);
  const missing = plan.addresses.filter((wanted) => !given.some((value) => isSameAddress(value, wanted)));
  if (missing.length === 0) return undefined;
  const asked = missing.length === 1 ? `Address ${missing[0]} is` : `Addresses ${missing.join(", ")} are`;
  const instead = given.length > 0 ? `it has ${given.join(", ")}` : (waits?.address ?? "it has none yet");
  return `${asked} asked for and not given to the Gateway (${instead}); ask for one that can be had, or for none to get any`;
}

/** How Envoy passes on EADDRNOTAVAIL when it cannot bind. */
const addressMissing = /cannot bind .*Cannot assign requested address/;

const isAwaited = ({ type, reason }: DesiredCondition): boolean => type === "Programmed" && reason === "Pending";

function listenersOf(listeners: readonly ListenerStatus[]): string {
  return listeners.length === 1 ? `listener ${namesOf(listeners)}` : `listeners ${namesOf(listeners)}`;
}

function namesOf(listeners: readonly ListenerStatus[]): string {
  return listeners.map(({ name }) => name).join(", ");
}
