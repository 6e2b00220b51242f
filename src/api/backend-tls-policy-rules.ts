import type { FieldPath, FieldProblem } from "./field.ts";
import type { BackendTLSPolicy } from "./gateway-api.ts";
import { type Report, reportRepeated } from "./gateway-rules.ts";

/** What the CEL rules of the BackendTLSPolicy CRD demand and the generated validators do not know. Source: the field documentation of Gateway API v1.6. */
export function checkBackendTlsPolicy({ spec }: BackendTLSPolicy): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  checkTargets(spec.targetRefs, report);
  const validation: FieldPath = ["spec", "validation"];
  const { caCertificateRefs = [], wellKnownCACertificates = "", subjectAltNames = [] } = spec.validation;
  if (caCertificateRefs.length > 0 && wellKnownCACertificates !== "") {
    report(validation, "has both caCertificateRefs and wellKnownCACertificates: keep one of them");
  }
  if (caCertificateRefs.length === 0 && wellKnownCACertificates === "") {
    report(validation, "names no authorities to trust: set caCertificateRefs or wellKnownCACertificates");
  }
  for (const [index, { type, hostname = "", uri = "" }] of subjectAltNames.entries()) {
    const path: FieldPath = [...validation, "subjectAltNames", index];
    const [own, other] = type === "Hostname" ? (["hostname", "uri"] as const) : (["uri", "hostname"] as const);
    const values = { hostname, uri };
    if (values[own] === "") report([...path, own], `is required with type ${type}`);
    if (values[other] !== "") report([...path, other], `is not possible with type ${type}: leave it out`);
  }
  return problems;
}

/** One policy names an object once, or several sections of it. */
function checkTargets(targets: BackendTLSPolicy["spec"]["targetRefs"], report: Report): void {
  const path: FieldPath = ["spec", "targetRefs"];
  const objectOf = ({ group, kind, name }: (typeof targets)[number]) => `${group} ${kind} ${name}`;
  const sectionless = new Set(targets.filter(({ sectionName }) => !sectionName).map(objectOf));
  reportRepeated(
    targets,
    path,
    (target) => `${objectOf(target)} ${target.sectionName ?? ""}`,
    (first) => `has the target and sectionName of item ${first}: remove one of them`,
    report,
  );
  for (const [index, target] of targets.entries()) {
    if (target.sectionName && sectionless.has(objectOf(target))) {
      report([...path, index], "names an object that another item names without sectionName: give both one");
    }
  }
}
