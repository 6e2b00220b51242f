import { isIP } from "node:net";
import type { FieldPath, FieldProblem } from "./field.ts";
import { checkServicePort } from "./filter-rules.ts";
import type { StreamRoute } from "./gateway-api.ts";
import type { Report } from "./gateway-rules.ts";
import { checkParents, checkRuleList } from "./route-rules.ts";

/** The CEL rules and limits of TLSRoute, TCPRoute and UDPRoute that the generated validators do not know. */
export function checkStreamRoute({ spec }: StreamRoute): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  checkParents(spec.parentRefs, report);
  checkRuleList(spec.rules, report);
  // The models of v1alpha2 allow more, the CustomResourceDefinitions of every served version do not.
  if (spec.rules.length > 1)
    report(["spec", "rules"], "must have one item: a connection takes one way; make a route of each");
  for (const [index, rule] of spec.rules.entries()) {
    for (const [position, backend] of (rule.backendRefs ?? []).entries()) {
      checkServicePort(backend, ["spec", "rules", index, "backendRefs", position], report);
    }
  }
  if ("hostnames" in spec) checkServerNames(spec.hostnames, report);
  return problems;
}

/** Server names are no IP addresses (RFC 6066, 3). */
function checkServerNames(hostnames: readonly string[] | undefined, report: Report): void {
  for (const [index, hostname] of (hostnames ?? []).entries()) {
    const path: FieldPath = ["spec", "hostnames", index];
    if (isIP(hostname) !== 0) report(path, `must not be an IP address (it is ${JSON.stringify(hostname)})`);
  }
}
