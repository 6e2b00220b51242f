import type { ParentReference } from "../api/gateway-api.ts";
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

/** Conditions of a route that appear only when something is wrong. */
const extraConditions = ["Programmed", "PartiallyInvalid", "BackendsAvailable", "RouteRulesOverlap"];

/** One entry per parentRef that names a Gateway of ours. */
export function buildRouteStatus(report: RouteReport): RouteStatus {
  const { generation } = report.object.metadata;
  const parents = report.attachment.parents.map(({ parentRef, problems, listeners }): RouteParentStatus => {
    const all = [...problems, ...report.resolved.problems, ...report.extra];
    const names = listeners.map(({ listener }) => listener).join(", ");
    return {
      parentRef,
      controllerName: report.controllerName,
      conditions: [
        judge("Accepted", all, { reason: "Accepted", message: `The route is attached to ${names}` }, generation),
        judge("ResolvedRefs", all, { reason: "ResolvedRefs", message: "All references are resolved" }, generation),
        ...judgeExtra(extraConditions, all, generation),
      ],
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
