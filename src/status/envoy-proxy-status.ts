import type { ProxyFinding } from "../attach/envoy-proxy.ts";
import { problemAt } from "../base/problems.ts";
import type { EnvoyProxyReport } from "../pipeline/status-reports.ts";
import { type DesiredCondition, judge, judgeExtra } from "./conditions.ts";
import { type AncestorReference, aggregateAncestors, referTo } from "./policy-status.ts";

export interface EnvoyProxyStatus {
  readonly ancestors: readonly AncestorStatus[];
}

export interface AncestorStatus {
  readonly ancestorRef: AncestorReference;
  readonly conditions: readonly DesiredCondition[];
}

/** One entry for each GatewayClass and Gateway of ours that refers to the EnvoyProxy; those in trouble come first. */
export function buildEnvoyProxyStatus({ object, uses }: EnvoyProxyReport): EnvoyProxyStatus {
  const { generation } = object.metadata;
  const ancestors = uses.map(({ ancestor, level }): AncestorStatus => {
    const at = (condition: string, reason: string) => (finding: ProxyFinding) =>
      problemAt(condition, reason, finding.field, finding.text);
    const problems = [
      ...level.refused.map(at("Accepted", "InvalidParameters")),
      ...level.warnings.map((finding) => at("Warning", finding.reason ?? "NoEffect")(finding)),
    ];
    const good = { reason: "Accepted", message: `The EnvoyProxy is in effect for ${ancestor.kind} ${ancestor.key}` };
    return {
      ancestorRef: referTo(ancestor),
      conditions: [judge("Accepted", problems, good, generation), ...judgeExtra(["Warning"], problems, generation)],
    };
  });
  return { ancestors: aggregateAncestors(ancestors, generation) };
}
