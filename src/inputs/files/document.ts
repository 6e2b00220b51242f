import { type FieldPath, type FieldProblem, formatPath, isRecord } from "../../api/field.ts";
import { type CollectionName, collectionOf, kindOf, validateObject } from "../../api/kinds.ts";
import type { KubernetesObject } from "../../api/object.ts";
import { objectKey } from "../../base/keys.ts";
import { flatText } from "../../base/memory.ts";
import { contentHash } from "../../envoy/hash.ts";
import { createStringPool } from "../string-pool.ts";
import { createLocator, type Position, readYaml } from "./yaml-text.ts";

const strings = createStringPool();

/** Names one object among all collections: `<collection> <key>`. */
export type ObjectId = string;

export function splitObjectId(id: ObjectId): { readonly collection: CollectionName; readonly key: string } {
  const space = id.indexOf(" ");
  return { collection: id.slice(0, space) as CollectionName, key: id.slice(space + 1) };
}

/** A problem with its place inside the document: line 1 is the document's first. */
export interface EntryProblem extends Position {
  readonly severity: "error" | "warning";
  readonly field?: string;
  readonly message: string;
}

/** One object as a document has it, or the lack of one. */
export interface Entry {
  /** Undefined for kinds that are not read, and when it cannot be told which object this is. */
  readonly id?: ObjectId;
  /** True: some object may be meant here, but it cannot be told which. */
  readonly unreadable?: boolean;
  /** Kind and key for people. */
  readonly name?: string;
  /** Absent if there is an error. */
  readonly object?: KubernetesObject;
  readonly problems: readonly EntryProblem[];
}

/** One object can be wrong in every line, and finding the line of each takes its time. */
const PROBLEMS_PER_OBJECT_MAX = 20;

/** A document of a file after validation. Depends on its text alone, so equal text needs no second look. */
export interface ReadDocument {
  readonly hash: string;
  /** Line of its first content, counted from the document's first line. */
  readonly firstLine: number;
  readonly entries: readonly Entry[];
}

export interface DocumentText {
  readonly text: string;
  /** Line of the file on which the text begins, from 1. */
  readonly line: number;
}

const separator = /^---(?=[ \t\r\n]|$)/gm;

/**
 * Splits a file at its `---` lines, without parsing: at the beginning of a line these three characters cannot be anything else
 * in YAML. Documents without content are left out. O(length).
 */
export function splitDocuments(text: string): DocumentText[] {
  const documents: DocumentText[] = [];
  let start = text.startsWith("\uFEFF") ? 1 : 0;
  let line = 1;
  const add = (end: number) => {
    const part = text.slice(start, end);
    if (hasContent(part)) documents.push({ text: part, line });
    line += countLines(part);
    start = end;
  };
  for (const { index } of text.matchAll(separator)) if (index > start) add(index);
  add(text.length);
  return documents;
}

/** Anything but the separator, comments and blank lines. */
function hasContent(text: string): boolean {
  return /^(?!---[ \t]*(?:#.*)?\r?$)[ \t]*[^\s#]/m.test(text);
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

export function readDocument(text: string, hash: string = contentHash(text)): ReadDocument {
  const skipped = /^(?:---[ \t]*(?:#.*)?|[ \t]*(?:#.*)?)\r?$/;
  const firstLine = 1 + text.split("\n", 100).findIndex((line) => !skipped.test(line));
  return { hash, firstLine: Math.max(1, firstLine), entries: readEntries(text) };
}

function readEntries(text: string): readonly Entry[] {
  const read = readYaml(text);
  if (read.problems) {
    return [{ unreadable: true, problems: read.problems.map((problem) => ({ severity: "error", ...problem })) }];
  }
  if (read.value === undefined) return [];
  const locate = lazy(() => createLocator(text));
  return readItems(read.value, []).map(({ raw, path }) => readEntry(raw, path, locate));
}

interface Item {
  readonly raw: unknown;
  readonly path: FieldPath;
}

/** The objects of a document: itself, or the items of a list such as `kubectl get -o yaml` prints. */
function readItems(value: unknown, path: FieldPath): Item[] {
  const isList = isRecord(value) && typeof value["kind"] === "string" && value["kind"].endsWith("List");
  if (!isList || !Array.isArray(value["items"])) return [{ raw: value, path }];
  return value["items"].map((raw, index) => ({ raw, path: [...path, "items", index] }));
}

function readEntry(raw: unknown, path: FieldPath, locate: () => (path: FieldPath) => Position): Entry {
  const { object, problems, unsupported } = validateObject(raw);
  if (object) {
    const key = objectKey(object.metadata.namespace, object.metadata.name);
    const id = flatText(collectionOf(object) ?? "", " ", key);
    // An API server gives a generation to what it stores; a file's own would never change with its content.
    const stored = strings.compact({ ...object, metadata: { ...object.metadata, generation: 1 } });
    return { id, name: nameOf(object), object: stored, problems: [] };
  }
  const place = (problem: FieldProblem): EntryProblem => {
    const whole = [...path, ...problem.path];
    return {
      severity: unsupported ? "warning" : "error",
      ...locate()(whole),
      ...(whole.length > 0 && { field: formatPath(whole) }),
      message: problem.message,
    };
  };
  const identity = identify(raw);
  return {
    ...identity,
    ...(identity.id === undefined && !unsupported && { unreadable: true }),
    problems: bound(problems).map(place),
  };
}

function bound(problems: readonly FieldProblem[]): readonly FieldProblem[] {
  const rest = problems.length - PROBLEMS_PER_OBJECT_MAX;
  if (rest <= 0) return problems;
  return [...problems.slice(0, PROBLEMS_PER_OBJECT_MAX), { path: [], message: `and ${rest} more problems` }];
}

/** Which object a document means to be, although it is not valid. */
function identify(raw: unknown): { readonly id?: ObjectId; readonly name?: string } {
  if (!isRecord(raw) || !isRecord(raw["metadata"])) return {};
  const { apiVersion, kind } = raw;
  const { name, namespace } = raw["metadata"];
  if (typeof apiVersion !== "string" || typeof kind !== "string" || typeof name !== "string" || name === "") return {};
  const known = kindOf({ apiVersion, kind });
  const place = typeof namespace === "string" && namespace !== "" ? namespace : "default";
  const key = objectKey(known && !known.namespaced ? undefined : place, name);
  return { ...(known && { id: `${known.collection} ${key}` }), name: `${kind} ${key}` };
}

function nameOf(object: KubernetesObject): string {
  return flatText(object.kind, " ", objectKey(object.metadata.namespace, object.metadata.name));
}

/** Made when first asked for, then kept. */
export function lazy<T>(create: () => T): () => T {
  let value: { readonly made: T } | undefined;
  return () => {
    value ??= { made: create() };
    return value.made;
  };
}
