import type { ListenerPlan } from "../attach/model.ts";
import type { Problem } from "../base/problems.ts";
import type { GatewayReport } from "../pipeline/status-reports.ts";
import { type DesiredCondition, judge, judgeExtra } from "./conditions.ts";

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
  readonly attachedRoutes: number;
  readonly conditions: readonly DesiredCondition[];
}

/** What became of one listener of a Gateway. */
export function buildListenerStatus(report: GatewayReport, listener: ListenerPlan): ListenerStatus {
  const { generation } = report.object.metadata;
  const { name } = listener;
  const overlap = report.tlsOverlaps[name];
  const problems = [
    ...listener.problems,
    ...(report.certificates[name]?.problems ?? []),
    ...(overlap === undefined ? [] : [overlap]),
  ];
  const programming = findProgramming(report, listener, problems);
  return {
    name,
    supportedKinds: listener.supportedKinds,
    attachedRoutes: report.attachedRoutes[name] ?? 0,
    conditions: [
      judge("Accepted", problems, { reason: "Accepted", message: "The listener is accepted" }, generation),
      judge(
        "Programmed",
        programming === undefined ? [] : [programming],
        { reason: "Programmed", message: "Envoy has acknowledged the listener" },
        generation,
      ),
      judge("ResolvedRefs", problems, { reason: "ResolvedRefs", message: "All references are resolved" }, generation),
      judge("Conflicted", problems, { reason: "NoConflicts", message: "No other listener is in its way" }, generation),
      ...judgeExtra(["OverlappingTLSConfig"], problems, generation),
    ],
  };
}

/** Why a listener does not serve yet, or any more. */
function findProgramming(
  report: GatewayReport,
  listener: ListenerPlan,
  problems: readonly Problem[],
): Problem | undefined {
  const fail = (reason: string, message: string): Problem => ({ condition: "Programmed", reason, message });
  if (!listener.valid) {
    const cause =
      problems.find(({ condition }) => condition === "Accepted" || condition === "ResolvedRefs") ??
      report.plan.problems[0];
    return fail("Invalid", cause?.message ?? "The listener cannot be served; see its other conditions");
  }
  if (listener.tlsMode === "Terminate" && (report.certificates[listener.name]?.secrets.length ?? 0) === 0) {
    const cause =
      problems.find(({ condition }) => condition === "Accepted") ??
      problems.find(({ condition }) => condition === "ResolvedRefs");
    return fail("Invalid", cause?.message ?? "The listener has no usable certificate; see its other conditions");
  }
  const progress = report.progress[listener.name];
  if (progress?.state === "Rejected") {
    return fail("Invalid", `Envoy refused ${progress.resource}; correct what it says: ${progress.error}`);
  }
  if (report.connected === 0) {
    return fail("Pending", "No Envoy of this Gateway is connected, so nothing is known to be in effect");
  }
  return progress?.state === "Accepted" ? undefined : fail("Pending", "Envoy has not acknowledged the listener yet");
}

/** A condition of this type holds. */
export function isTrue(listener: ListenerStatus, type: string): boolean {
  return listener.conditions.some((condition) => condition.type === type && condition.status === "True");
}
