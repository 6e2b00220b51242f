import type { ListenerPlan, PortPlan } from "../attach/model.ts";
import { overlappingTls } from "../attach/overlap.ts";
import type { Problem } from "../base/problems.ts";
import type { GatewayReport } from "../pipeline/status-reports.ts";
import { type DesiredCondition, judge, judgeExtra } from "./conditions.ts";

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly attachedRoutes: number;
  readonly conditions: readonly DesiredCondition[];
}

export interface GatewayStatus {
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly DesiredCondition[];
  readonly listeners: readonly ListenerStatus[];
}

/** Gateway API, GatewayStatus: at most so many addresses. */
const ADDRESSES_MAX = 16;

/** The whole status of a Gateway. */
export function buildGatewayStatus(report: GatewayReport): GatewayStatus {
  const overlaps = overlappingTls(report.plan, Object.values(report.certificates));
  const listeners = report.plan.listeners.map((listener) =>
    buildListenerStatus(report, listener, overlaps.get(listener.name)),
  );
  return {
    addresses: report.addresses.slice(0, ADDRESSES_MAX),
    conditions: [judgeAccepted(report, listeners), judgeProgrammed(report, listeners)],
    listeners,
  };
}

function buildListenerStatus(
  report: GatewayReport,
  listener: ListenerPlan,
  overlap: Problem | undefined,
): ListenerStatus {
  const { generation } = report.object.metadata;
  const problems = [
    ...listener.problems,
    ...(report.certificates[listener.name]?.problems ?? []),
    ...(overlap === undefined ? [] : [overlap]),
  ];
  const programming = findProgramming(report, listener, problems);
  return {
    name: listener.name,
    supportedKinds: listener.supportedKinds,
    attachedRoutes: report.attachedRoutes[listener.name] ?? 0,
    conditions: [
      judge("Accepted", problems, { reason: "Accepted", message: "The listener is accepted" }, generation),
      judge(
        "Programmed",
        programming,
        { reason: "Programmed", message: "Envoy has acknowledged the listener" },
        generation,
      ),
      judgeReferences(report, listener, problems),
      judge("Conflicted", problems, { reason: "NoConflicts", message: "No other listener is in its way" }, generation),
      ...judgeExtra(["OverlappingTLSConfig"], problems, generation),
    ],
  };
}

/** Certificates of a listener that cannot serve are not looked at, so nothing is known of its references. */
function judgeReferences(
  report: GatewayReport,
  listener: ListenerPlan,
  problems: readonly Problem[],
): DesiredCondition {
  const good = { reason: "ResolvedRefs", message: "All references are resolved" };
  const verdict = judge("ResolvedRefs", problems, good, report.object.metadata.generation);
  const followed = listener.certificateRefs.length === 0 || report.certificates[listener.name] !== undefined;
  if (followed || verdict.status === "False") return verdict;
  const message = "References are followed once the listener can be served.";
  return { ...verdict, status: "Unknown", reason: "Pending", message };
}

/** Why a listener does not serve yet, or any more. */
function findProgramming(report: GatewayReport, listener: ListenerPlan, problems: readonly Problem[]): Problem[] {
  const fail = (reason: string, message: string): Problem[] => [{ condition: "Programmed", reason, message }];
  if (!listener.valid) {
    const cause = problems.find(({ condition }) => condition === "Accepted" || condition === "ResolvedRefs");
    return fail("Invalid", cause?.message ?? "The Gateway is not accepted, so its listeners are not served");
  }
  if (listener.protocol === "HTTPS" && (report.certificates[listener.name]?.secrets.length ?? 0) === 0) {
    const cause = problems.find(({ condition }) => condition === "ResolvedRefs");
    return fail("Invalid", cause?.message ?? "The listener has no usable certificate");
  }
  const port = report.plan.ports.find(({ listeners }) => listeners.some(({ name }) => name === listener.name));
  return port === undefined ? [] : findProgress(report, port, fail);
}

function findProgress(
  report: GatewayReport,
  port: PortPlan,
  fail: (reason: string, message: string) => Problem[],
): Problem[] {
  const progress = report.progress[port.name];
  if (progress?.state === "Rejected") {
    return fail(
      "Invalid",
      `Envoy refused the listener on port ${port.bindPort}: ${progress.error ?? "no reason given"}`,
    );
  }
  if (report.connected === 0) {
    return fail("Pending", "No Envoy of this Gateway is connected, so nothing is known to be in effect");
  }
  return progress?.state === "Accepted" ? [] : fail("Pending", "Envoy has not acknowledged the listener yet");
}

const isTrue = (listener: ListenerStatus, type: string): boolean =>
  listener.conditions.some((condition) => condition.type === type && condition.status === "True");

const isAwaited = ({ type, reason }: DesiredCondition): boolean => type === "Programmed" && reason === "Pending";

function judgeAccepted(report: GatewayReport, listeners: readonly ListenerStatus[]): DesiredCondition {
  const { generation } = report.object.metadata;
  const good = { reason: "Accepted", message: "The Gateway is accepted" };
  const verdict = judge("Accepted", report.plan.problems, good, generation);
  if (verdict.status === "False") return verdict;
  const bad = listeners.filter((listener) => !isTrue(listener, "Accepted") || !isTrue(listener, "ResolvedRefs"));
  if (bad.length === 0) return verdict;
  const refused = listeners.every((listener) => !isTrue(listener, "Accepted"));
  return {
    ...verdict,
    status: refused ? "False" : "True",
    reason: "ListenersNotValid",
    message: `Something is wrong with ${bad.length} of ${listeners.length} listeners: ${bad.map(({ name }) => name).join(", ")}; see their conditions.`,
  };
}

function judgeProgrammed(report: GatewayReport, listeners: readonly ListenerStatus[]): DesiredCondition {
  const { generation } = report.object.metadata;
  const problems: Problem[] = [];
  const fail = (reason: string, message: string) => problems.push({ condition: "Programmed", reason, message });
  const serving = listeners.filter((listener) => isTrue(listener, "Programmed"));
  if (report.plan.problems.length > 0 || report.plan.ports.length === 0) {
    fail("Invalid", "No listener can be served; see the other conditions");
  } else if (report.connected === 0) {
    fail("NoResources", "No Envoy of this Gateway is connected");
  } else if (report.addresses.length === 0) {
    fail("AddressNotAssigned", "The Gateway has no address yet");
  } else if (serving.length === 0) {
    const rejected = Object.values(report.progress).some(({ state }) => state === "Rejected");
    // Waiting is for those who can be served: a listener without a certificate waits for its user, not for Envoy.
    const waiting = listeners.some(({ conditions }) => conditions.some(isAwaited));
    if (waiting && !rejected) fail("Pending", "Envoy has not acknowledged any listener yet");
    else fail("Invalid", "No listener can serve; see the listeners' conditions");
  }
  const connected = `${report.connected} Envoy${report.connected === 1 ? "" : "s"}`;
  const addresses = report.addresses.map(({ value }) => value).join(", ");
  const good = {
    reason: "Programmed",
    message: `Reached at ${addresses}, with ${connected} connected; ${serving.length} of ${listeners.length} listeners serve`,
  };
  return judge("Programmed", problems, good, generation);
}
