import type { ParentReference } from "../api/gateway-api.ts";
import { keyOfParent } from "../attach/parents.ts";
import type { RouteReport } from "../pipeline/status-reports.ts";
import { type DesiredCondition, judge, judgeExtra } from "./conditions.ts";

export interface RouteParentStatus {
  readonly parentRef: ParentReference;
  readonly controllerName: string;
  readonly conditions: readonly DesiredCondition[];
}

export interface RouteStatus {
  readonly parents: readonly RouteParentStatus[];
}

/** Gateway API, RouteStatus: at most so many parents; the last tells how many more there are. */
const PARENTS_MAX = 32;

/** What is said of a route only where it is attached, and only when something is wrong. */
const extraConditions = ["Programmed", "PartiallyInvalid", "BackendsAvailable", "RouteRulesOverlap"];

/** One entry per parentRef that names a Gateway or ListenerSet of ours. */
export function buildRouteStatus(report: RouteReport): RouteStatus {
  const { generation } = report.object.metadata;
  const parents = report.attachment.parents.map((parent): RouteParentStatus => {
    const { parentRef, controllerName, listeners } = parent;
    const key = keyOfParent(parent);
    const own = [...parent.problems, ...report.resolved.problems];
    const names = listeners.map(({ listener }) => listener).join(", ");
    const accepted = judge(
      "Accepted",
      own,
      { reason: "Accepted", message: `The route is attached to ${names}` },
      generation,
    );
    // Of a route that is not accepted here, its refusal is all there is to say.
    const here = report.extra.filter((problem) => problem.parent === undefined || problem.parent === key);
    const extra = accepted.status === "True" ? judgeExtra(extraConditions, [...own, ...here], generation) : [];
    const good = { reason: "ResolvedRefs", message: "All references are resolved" };
    return {
      parentRef,
      controllerName,
      conditions: [accepted, judge("ResolvedRefs", own, good, generation), ...extra],
    };
  });
  return { parents: aggregate(parents, generation) };
}

function aggregate(parents: readonly RouteParentStatus[], generation: number | undefined): RouteParentStatus[] {
  if (parents.length <= PARENTS_MAX) return [...parents];
  const kept = parents.slice(0, PARENTS_MAX);
  const last = kept.pop() as RouteParentStatus;
  const message = `${parents.length - PARENTS_MAX} more parents are not listed, because a status holds ${PARENTS_MAX}`;
  const problem = { condition: "Aggregated", reason: "Aggregated", message };
  return [...kept, { ...last, conditions: [...last.conditions, ...judgeExtra(["Aggregated"], [problem], generation)] }];
}
