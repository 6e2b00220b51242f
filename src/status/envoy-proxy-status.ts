import { gatewayGroup } from "../api/gateway-api.ts";
import type { ProxyFinding } from "../attach/envoy-proxy.ts";
import { splitObjectKey } from "../base/keys.ts";
import { problemAt } from "../base/problems.ts";
import type { EnvoyProxyReport } from "../pipeline/status-reports.ts";
import { type DesiredCondition, judge, judgeExtra } from "./conditions.ts";

export interface EnvoyProxyStatus {
  readonly ancestors: readonly AncestorStatus[];
}

export interface AncestorStatus {
  readonly ancestorRef: {
    readonly group: string;
    readonly kind: string;
    readonly name: string;
    readonly namespace?: string;
  };
  readonly conditions: readonly DesiredCondition[];
}

/** Gateway API, PolicyStatus: at most so many ancestors; the last tells how many more there are. */
const ANCESTORS_MAX = 16;

/** One entry for each GatewayClass and Gateway of ours that refers to the EnvoyProxy; those in trouble come first. */
export function buildEnvoyProxyStatus({ object, uses }: EnvoyProxyReport): EnvoyProxyStatus {
  const { generation } = object.metadata;
  const sorted = [...uses].sort((a, b) => Number(b.level.refused.length > 0) - Number(a.level.refused.length > 0));
  const ancestors = sorted.slice(0, ANCESTORS_MAX).map(({ ancestor, level }): AncestorStatus => {
    const { namespace, name } = splitObjectKey(ancestor.key);
    const at = (condition: string, reason: string) => (finding: ProxyFinding) =>
      problemAt(condition, reason, finding.field, finding.text);
    const problems = [
      ...level.refused.map(at("Accepted", "InvalidParameters")),
      ...level.warnings.map((finding) => at("Warning", finding.reason ?? "NoEffect")(finding)),
    ];
    const good = { reason: "Accepted", message: `The EnvoyProxy is in effect for ${ancestor.kind} ${ancestor.key}` };
    return {
      ancestorRef: { group: gatewayGroup, kind: ancestor.kind, name, ...(namespace !== "" && { namespace }) },
      conditions: [judge("Accepted", problems, good, generation), ...judgeExtra(["Warning"], problems, generation)],
    };
  });
  const hidden = uses.length - ancestors.length;
  const last = ancestors.at(-1);
  if (hidden === 0 || last === undefined) return { ancestors };
  const message = `${hidden} more ancestors are not listed, because a status holds ${ANCESTORS_MAX}`;
  const aggregated = judgeExtra(
    ["Aggregated"],
    [{ condition: "Aggregated", reason: "Aggregated", message }],
    generation,
  );
  return { ancestors: [...ancestors.slice(0, -1), { ...last, conditions: [...last.conditions, ...aggregated] }] };
}
