import type { ListenerSetReport } from "../pipeline/listener-reports.ts";
import { type DesiredCondition, formatMessage, judge } from "./conditions.ts";
import { findGatewayFault } from "./gateway-fault.ts";
import {
  awaiting,
  buildListenerStatus,
  describeInvalid,
  isAnyAwaited,
  isTrue,
  type ListenerStatus,
} from "./listener-status.ts";

export interface ListenerSetStatus {
  readonly conditions: readonly DesiredCondition[];
  /** None of a ListenerSet that its Gateway does not take. */
  readonly listeners: readonly ListenerStatus[];
}

/** The whole status of a ListenerSet. */
export function buildListenerSetStatus(report: ListenerSetReport): ListenerSetStatus {
  const { generation } = report.object.metadata;
  const listeners = report.plan.listeners.map((listener) => buildListenerStatus(report, listener, generation));
  return { conditions: [judgeAccepted(report, listeners), judgeProgrammed(report, listeners)], listeners };
}

/** Gateway API, ListenerSetConditionAccepted: it is, when at least one of its listeners can be served. */
function judgeAccepted(report: ListenerSetReport, listeners: readonly ListenerStatus[]): DesiredCondition {
  const { refusals, problems, gateway } = report.plan;
  const { generation } = report.object.metadata;
  const good = { reason: "Accepted", message: "The ListenerSet is part of its Gateway" };
  const message = `Gateway ${gateway} is not accepted itself; see its conditions`;
  const parent = problems.length > 0 ? [{ condition: "Accepted", reason: "ParentNotAccepted", message }] : [];
  const verdict = judge("Accepted", refusals.length > 0 ? refusals : parent, good, generation);
  const invalid = describeInvalid(listeners);
  if (verdict.status === "False" || (report.attached && invalid === undefined)) return verdict;
  return {
    ...verdict,
    status: report.attached ? "True" : "False",
    reason: "ListenersNotValid",
    message: invalid ?? nothingServed,
  };
}

const nothingServed = "None of the listeners can be served; see their conditions.";

function judgeProgrammed(report: ListenerSetReport, listeners: readonly ListenerStatus[]): DesiredCondition {
  const serving = listeners.filter((listener) => isTrue(listener, "Programmed")).length;
  const fault = findFault(report, listeners, serving);
  const message = `Envoys of Gateway ${report.plan.gateway} serve ${serving} of ${listeners.length} listeners`;
  const problems = fault === undefined ? [] : [{ ...fault, condition: "Programmed" }];
  const good = { reason: "Programmed", message };
  return awaiting(judge("Programmed", problems, good, report.object.metadata.generation));
}

function findFault(
  report: ListenerSetReport,
  listeners: readonly ListenerStatus[],
  serving: number,
): { readonly reason: string; readonly message: string } | undefined {
  const { refusals, gateway } = report.plan;
  if (refusals[0] !== undefined) return refusals[0];
  const fault = findGatewayFault(report);
  if (fault !== undefined && (report.attached || report.plan.problems.length > 0)) {
    const text = formatMessage(fault.message);
    const message = `Gateway ${gateway} serves nothing now; see its conditions, which say: ${text}`;
    return { reason: "ParentNotProgrammed", message };
  }
  if (!report.attached) return { reason: "ListenersNotValid", message: describeInvalid(listeners) ?? nothingServed };
  if (serving > 0) return undefined;
  if (isAnyAwaited(listeners)) return { reason: "Pending", message: "Envoy has not acknowledged any listener yet" };
  return { reason: "Invalid", message: "No listener can serve; see the conditions of the listeners" };
}
