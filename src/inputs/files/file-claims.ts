import type { KubernetesObject } from "../../api/object.ts";
import { compareStrings } from "../../base/keys.ts";
import { trimmed } from "../../base/memory.ts";
import { contentHash } from "../../envoy/hash.ts";
import { type Entry, lazy, type ObjectId, type ReadDocument, readDocument, splitDocuments } from "./document.ts";
import type { InputProblem } from "./problem.ts";

/** What a read of a file gave: its text, undefined when there is no such file, or why it could not be read. */
export type FileContent = string | undefined | { readonly error: string };

/** A place that defines an object. */
export interface Claim {
  readonly id: ObjectId;
  readonly file: string;
  /** Position among the file's claims. */
  readonly order: number;
  /** Line of the file where its document begins. */
  readonly line: number;
  readonly name?: string;
  /** What the place contributes: what it says, or what it last said that was valid. */
  readonly object?: KubernetesObject;
  /** True: the file says it no more, but a part of the file cannot be read. */
  readonly remembered?: boolean;
}

export interface FileState {
  readonly documents: readonly ReadDocument[];
  readonly lines: readonly number[];
  readonly claims: readonly Claim[];
  /** Set when the file as a whole could not be read; its claims are then those of before. */
  readonly error?: string;
}

export const emptyFile: FileState = { documents: [], lines: [], claims: [] };

export function compareClaims(a: Claim, b: Claim): number {
  return compareStrings(a.file, b.file) || a.order - b.order;
}

export function readFile(file: string, content: FileContent, before: FileState): FileState {
  if (content === undefined) return emptyFile;
  if (typeof content !== "string") return { ...before, error: content.error };
  let known: Map<string, ReadDocument> | undefined;
  const documents: ReadDocument[] = [];
  const lines: number[] = [];
  for (const { text, line } of splitDocuments(content)) {
    const hash = contentHash(text);
    let document = before.documents[documents.length];
    if (document?.hash !== hash) {
      known ??= new Map(before.documents.map((candidate) => [candidate.hash, candidate]));
      document = known.get(hash) ?? readDocument(text, hash);
    }
    documents.push(document);
    lines.push(line);
  }
  const claims = claimsOf(file, documents, lines, before.claims);
  return { documents: trimmed(documents), lines: trimmed(lines), claims: trimmed(claims) };
}

function claimsOf(
  file: string,
  documents: readonly ReadDocument[],
  lines: readonly number[],
  before: readonly Claim[],
): readonly Claim[] {
  const contributing = lazy(() => firstOfEach(before.filter((claim) => claim.object)));
  const previous = (id: ObjectId) => contributing().get(id);
  const result: Claim[] = [];
  let unreadable = false;
  for (const [index, { entries, firstLine }] of documents.entries()) {
    const line = lines[index]! + firstLine - 1;
    for (const { id, name, object, unreadable: lost } of entries) {
      unreadable ||= lost === true;
      if (id === undefined) continue;
      const claim = { id, file, order: result.length, line, name, object: object ?? previous(id)?.object };
      const same = before[result.length];
      result.push(same && sameClaim(same, claim) ? same : claim);
    }
  }
  if (unreadable) {
    const present = new Set(result.map((claim) => claim.id));
    for (const claim of contributing().values()) {
      if (!present.has(claim.id)) result.push({ ...claim, order: result.length, remembered: true });
    }
  }
  return result;
}

function firstOfEach(claims: readonly Claim[]): ReadonlyMap<ObjectId, Claim> {
  return new Map(claims.toReversed().map((claim) => [claim.id, claim]));
}

function sameClaim(a: Claim, b: Claim): boolean {
  return a.id === b.id && a.object === b.object && a.line === b.line && a.name === b.name && !a.remembered;
}

export function problemsOf(
  file: string,
  { documents, lines, claims: ownClaims, error }: FileState,
  claims: ReadonlyMap<ObjectId, readonly Claim[]>,
): readonly InputProblem[] {
  if (error !== undefined) {
    const keepsPrevious = ownClaims.some((claim) => claim.object);
    return [{ severity: "error", file, line: 1, column: 1, message: error, keepsPrevious }];
  }
  const problems = documents.flatMap(({ entries }, index) =>
    entries.flatMap((entry) => entryProblems(entry, file, lines[index]!, ownClaims)),
  );
  for (const claim of ownClaims) {
    const first = claims.get(claim.id)?.[0];
    if (first === undefined || first === claim) continue;
    const message = `is also defined at ${first.file}:${first.line}, which comes first: remove or rename one of the two`;
    problems.push({
      severity: "error",
      file,
      line: claim.line,
      column: 1,
      object: claim.name,
      message,
      keepsPrevious: false,
    });
  }
  return problems;
}

function entryProblems(entry: Entry, file: string, firstLine: number, ownClaims: readonly Claim[]): InputProblem[] {
  if (entry.problems.length === 0) return [];
  const keepsPrevious = entry.unreadable
    ? ownClaims.some((claim) => claim.remembered)
    : ownClaims.some((claim) => claim.id === entry.id && claim.object);
  return entry.problems.map(({ severity, line, column, field, message }) => ({
    severity,
    file,
    line: firstLine + line - 1,
    column,
    ...(entry.name !== undefined && { object: entry.name }),
    ...(field !== undefined && { field }),
    message,
    keepsPrevious,
  }));
}
