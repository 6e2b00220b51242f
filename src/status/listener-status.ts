import type { ListenerPlan } from "../attach/model.ts";
import type { Problem } from "../base/problems.ts";
import type { ListenerReport } from "../pipeline/listener-reports.ts";
import { type DesiredCondition, judge, judgeExtra } from "./conditions.ts";

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly attachedRoutes: number;
  readonly conditions: readonly DesiredCondition[];
}

/** What became of one listener of a Gateway or ListenerSet of this generation. */
export function buildListenerStatus(
  report: ListenerReport,
  listener: ListenerPlan,
  generation: number | undefined,
): ListenerStatus {
  const { name } = listener;
  const overlap = report.tlsOverlaps[name];
  const problems = [
    ...listener.problems,
    ...(report.certificates[name]?.problems ?? []),
    ...(overlap === undefined ? [] : [overlap]),
  ];
  const programming = findProgramming(report, listener, problems);
  const programmed = judge(
    "Programmed",
    programming === undefined ? [] : [programming],
    { reason: "Programmed", message: "Envoy has acknowledged the listener" },
    generation,
  );
  return {
    name,
    supportedKinds: listener.supportedKinds,
    attachedRoutes: report.attachedRoutes[name] ?? 0,
    conditions: [
      judge("Accepted", problems, { reason: "Accepted", message: "The listener is accepted" }, generation),
      report.plan.kind === "ListenerSet" ? awaiting(programmed) : programmed,
      judge("ResolvedRefs", problems, { reason: "ResolvedRefs", message: "All references are resolved" }, generation),
      judge("Conflicted", problems, { reason: "NoConflicts", message: "No other listener is in its way" }, generation),
      ...judgeExtra(["OverlappingTLSConfig"], problems, generation),
    ],
  };
}

/** Gateway API, ListenerSet and its entries: what is only awaited is not known; a Gateway and its listeners say False. */
export function awaiting(programmed: DesiredCondition): DesiredCondition {
  return programmed.reason === "Pending" ? { ...programmed, status: "Unknown" } : programmed;
}

/** Reasons that a listener of a ListenerSet repeats as why it is not programmed. */
const repeatedReasons: ReadonlySet<string> = new Set([
  "HostnameConflict",
  "ProtocolConflict",
  "ListenerConflict",
  "PortUnavailable",
]);

/** Why a listener does not serve yet, or any more. */
function findProgramming(
  report: ListenerReport,
  listener: ListenerPlan,
  problems: readonly Problem[],
): Problem | undefined {
  const fail = (reason: string, message: string): Problem => ({ condition: "Programmed", reason, message });
  if (!listener.valid) {
    const cause =
      problems.find(({ condition }) => condition === "Accepted" || condition === "ResolvedRefs") ??
      report.plan.problems[0];
    const repeats = report.plan.kind === "ListenerSet" && cause !== undefined && repeatedReasons.has(cause.reason);
    return fail(
      repeats ? cause.reason : "Invalid",
      cause?.message ?? "The listener cannot be served; see its other conditions",
    );
  }
  if (listener.tlsMode === "Terminate" && (report.certificates[listener.name]?.secrets.length ?? 0) === 0) {
    const cause =
      problems.find(({ condition }) => condition === "Accepted") ??
      problems.find(({ condition }) => condition === "Programmed") ??
      problems.find(({ condition }) => condition === "ResolvedRefs");
    return fail("Invalid", cause?.message ?? "The listener has no usable certificate; see its other conditions");
  }
  const progress = report.progress[listener.name];
  if (progress?.state === "Rejected") {
    return fail("Invalid", `Envoy refused ${progress.resource}; correct what it says: ${progress.error}`);
  }
  if (report.connected === 0) {
    return fail("Pending", "No Envoy of the Gateway is connected, so nothing is known to be in effect");
  }
  return progress?.state === "Accepted" ? undefined : fail("Pending", "Envoy has not acknowledged the listener yet");
}

/** A condition of this type holds. */
export function isTrue(listener: ListenerStatus, type: string): boolean {
  return listener.conditions.some((condition) => condition.type === type && condition.status === "True");
}

/**
 * Gateway API, Accepted with reason ListenersNotValid: which listeners are in trouble. Undefined: none.
 *
 * @param others what else is accepted
 */
export function describeInvalid(listeners: readonly ListenerStatus[], others?: string): string | undefined {
  const bad = listeners.filter((listener) => !isTrue(listener, "Accepted") || !isTrue(listener, "ResolvedRefs"));
  if (bad.length === 0) return undefined;
  const accepted = listeners.filter((listener) => isTrue(listener, "Accepted"));
  const all = accepted.length === listeners.length;
  const some = all ? "all are accepted nevertheless" : `accepted are ${namesOf(accepted)}`;
  const rest = accepted.length > 0 ? some : `none is accepted${others === undefined ? "" : ` but ${others}`}`;
  return `Something is wrong with ${listenersOf(bad)}, and ${rest}; see the conditions of the listeners.`;
}

export function listenersOf(listeners: readonly ListenerStatus[]): string {
  return listeners.length === 1 ? `listener ${namesOf(listeners)}` : `listeners ${namesOf(listeners)}`;
}

function namesOf(listeners: readonly ListenerStatus[]): string {
  return listeners.map(({ name }) => name).join(", ");
}

/** At least one waits for nobody but Envoy. */
export function isAnyAwaited(listeners: readonly ListenerStatus[]): boolean {
  return listeners.some(({ conditions }) =>
    conditions.some(({ type, reason }) => type === "Programmed" && reason === "Pending"),
  );
}
