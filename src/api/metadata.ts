import { type FieldProblem, isRecord } from "./field.ts";
import type { ObjectMeta } from "./object.ts";
import { suggestion } from "./shape.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const MAX_NAME_CHARACTERS = 253;
const MAX_LABEL_CHARACTERS = 63;

const dnsLabel = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?";
const namePattern = new RegExp(`^${dnsLabel}(?:\\.${dnsLabel})*$`);
const labelPattern = new RegExp(`^${dnsLabel}$`);
const labelValuePattern = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;
const timestampPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Known and of no meaning here. */
const ignoredFields: ReadonlySet<string> = new Set([
  "deletionGracePeriodSeconds",
  "finalizers",
  "generateName",
  "managedFields",
  "ownerReferences",
  "selfLink",
]);

const textFields = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"] as const;
const mapFields = ["labels", "annotations"] as const;
const knownFields: readonly string[] = [...textFields, ...mapFields, "generation", ...ignoredFields];

type MutableMeta = { -readonly [K in keyof ObjectMeta]: ObjectMeta[K] };

/** What kind of name an object may have: a DNS name, or a single label of one. */
export type NameRule = "name" | "label";

/**
 * Checks metadata and keeps what {@link ObjectMeta} lists; the annotation in which kubectl repeats the whole object is dropped.
 * Undefined when a problem other than an unknown field makes it unusable.
 */
export function readMetadata(
  raw: unknown,
  nameRule: NameRule,
): { readonly metadata?: ObjectMeta; readonly problems: readonly FieldProblem[] } {
  if (!isRecord(raw)) return { problems: [{ path: ["metadata"], message: "is required, with a name" }] };
  const problems: FieldProblem[] = [];
  const metadata: MutableMeta = { name: "" };
  for (const field of Object.keys(raw)) {
    if (!knownFields.includes(field)) {
      const message = `is not a known field${suggestion(field, knownFields)}`;
      problems.push({ path: ["metadata", field], message, unknownField: true });
    }
  }
  for (const field of textFields) {
    const value = raw[field] ?? undefined;
    if (value === undefined) continue;
    if (typeof value === "string") metadata[field] = value;
    else
      problems.push({
        path: ["metadata", field],
        message: "must be a string (numbers and words like true need quotes in YAML)",
      });
  }
  for (const field of mapFields) {
    const entries = readTexts(raw[field], field, problems);
    if (entries && Object.keys(entries).length > 0) metadata[field] = entries;
  }
  if (typeof raw["generation"] === "number") metadata.generation = raw["generation"];
  const usable = () => problems.every((problem) => problem.unknownField);
  if (usable()) checkMetadata(metadata, nameRule, problems);
  return usable() ? { metadata, problems } : { problems };
}

function readTexts(raw: unknown, field: string, problems: FieldProblem[]): Record<string, string> | undefined {
  if (raw === undefined || raw === null) return undefined;
  if (!isRecord(raw)) {
    problems.push({ path: ["metadata", field], message: "must be an object" });
    return undefined;
  }
  const result: Record<string, string> = {};
  for (const [key, value] of Object.entries(raw)) {
    if (key === LAST_APPLIED || value === null) continue;
    if (typeof value === "string") result[key] = value;
    else
      problems.push({
        path: ["metadata", field, key],
        message: "must be a string (numbers and words like true need quotes in YAML)",
      });
  }
  return result;
}

function checkMetadata(metadata: ObjectMeta, nameRule: NameRule, problems: FieldProblem[]): void {
  const { name, namespace } = metadata;
  const report = (field: string, message: string) => problems.push({ path: ["metadata", field], message });
  if (name === "") report("name", "is required");
  else if (nameRule === "label" ? !isLabel(name) : !namePattern.test(name) || name.length > MAX_NAME_CHARACTERS) {
    const dots = nameRule === "label" ? "" : ", and dots between such parts";
    report("name", `must be lower-case letters, digits and - inside${dots} (it is ${JSON.stringify(name)})`);
  }
  if (namespace && !isLabel(namespace)) {
    report("namespace", `must be lower-case letters, digits and - inside (it is ${JSON.stringify(namespace)})`);
  }
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (labelValuePattern.test(value) && value.length <= MAX_LABEL_CHARACTERS) continue;
    problems.push({
      path: ["metadata", "labels", key],
      message: `must be at most ${MAX_LABEL_CHARACTERS} letters, digits and - _ . inside (it is ${JSON.stringify(value)})`,
    });
  }
  for (const field of ["creationTimestamp", "deletionTimestamp"] as const) {
    if (metadata[field] !== undefined && !timestampPattern.test(metadata[field])) {
      report(field, "must be a time such as 2026-01-31T12:00:00Z");
    }
  }
}

function isLabel(text: string): boolean {
  return labelPattern.test(text) && text.length <= MAX_LABEL_CHARACTERS;
}
