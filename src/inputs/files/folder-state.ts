import { isDeepStrictEqual } from "node:util";
import type { CollectionName } from "../../api/kinds.ts";
import type { KubernetesObject } from "../../api/object.ts";
import { compareStrings, type ObjectKey } from "../../base/keys.ts";
import { contentHash } from "../../envoy/hash.ts";
import {
  type Entry,
  type ObjectId,
  type ReadDocument,
  readDocument,
  splitDocuments,
  splitObjectId,
} from "./document.ts";
import { createImpliedNamespaces } from "./implied-namespaces.ts";
import type { InputProblem } from "./problem.ts";

/** Changed objects by collection and key; undefined = gone. The collections are the pipeline's sources. */
export type ObjectBatch = {
  readonly [Name in CollectionName]?: ReadonlyMap<ObjectKey, KubernetesObject | undefined>;
};

/** What a read of a file gave: its text, undefined when there is no such file, or why it could not be read. */
export type FileContent = string | undefined | { readonly error: string };

/**
 * What a folder of files comes to: which objects there are, what is wrong, and what changed since last asked. Pure bookkeeping;
 * reading files, watching and time are the caller's.
 *
 * - An object belongs to the first place that defines it, in the order of paths and documents; other places are problems.
 * - An object whose document became invalid keeps its last valid version, as it would in a cluster, where the API server refuses
 *   the update. While a file has a document that cannot be read at all, nothing of the file disappears.
 * - Disappearing takes two steps: {@link update} marks, {@link settleRemovals} removes what has not come back by then, because a
 *   file that is being saved, or an object that moves from file to file, is gone for a moment.
 */
export interface FolderState {
  /** Takes in a file's content. O(documents of the file); only changed documents are parsed. `now` in milliseconds. */
  update(file: string, content: FileContent, now: number): void;
  /** When the object that is marked as gone for longest was marked. */
  oldestRemoval(): number | undefined;
  /** Removes what was marked at that time or before and has not come back. */
  settleRemovals(markedAt: number): void;
  /** Changes since the last call; undefined when there are none. */
  takeBatch(): ObjectBatch | undefined;
  /** Files whose problems changed since the last call, each with all its problems now. */
  takeProblems(): ReadonlyMap<string, readonly InputProblem[]>;
  /** Files known, in any state. */
  files(): Iterable<string>;
  /** Objects in use. */
  objectCount(): number;
}

/** A place that defines an object. */
interface Claim {
  readonly id: ObjectId;
  readonly file: string;
  /** Position among the file's claims. */
  readonly order: number;
  /** Line of the file where its document begins. */
  readonly line: number;
  readonly name?: string;
  /** What the place contributes: what it says, or what it last said that was valid. */
  readonly object?: KubernetesObject;
}

interface FileState {
  readonly documents: readonly ReadDocument[];
  readonly lines: readonly number[];
  readonly claims: readonly Claim[];
  /** Set when the file as a whole could not be read; its claims are then those of before. */
  readonly error?: string;
}

interface Served {
  /** As the file has it. */
  readonly source: KubernetesObject;
  /** The same with its generation. */
  readonly object: KubernetesObject;
}

const emptyFile: FileState = { documents: [], lines: [], claims: [] };

export function createFolderState(): FolderState {
  const files = new Map<string, FileState>();
  const claims = new Map<ObjectId, readonly Claim[]>();
  const served = new Map<ObjectId, Served>();
  /** Time of the mark; in order of time. */
  const removals = new Map<ObjectId, number>();
  let batch: Map<CollectionName, Map<ObjectKey, KubernetesObject | undefined>> = new Map();
  let dirtyFiles = new Set<string>();
  const reported = new Map<string, string>();

  const put = (id: ObjectId, object: KubernetesObject | undefined) => {
    const { collection, key } = splitObjectId(id);
    const changes = batch.get(collection) ?? new Map<ObjectKey, KubernetesObject | undefined>();
    batch.set(collection, changes.set(key, object));
  };

  const namespaces = createImpliedNamespaces((name, object) => put(`namespaces ${name}`, object));

  const settle = (id: ObjectId, time: number) => {
    const wanted = claims.get(id)?.find((claim) => claim.object)?.object;
    const now = served.get(id);
    if (wanted === undefined) {
      if (now && !removals.has(id)) removals.set(id, time);
      return;
    }
    removals.delete(id);
    if (now?.source === wanted) return;
    const object = now ? succeed(now.object, wanted) : wanted;
    served.set(id, { source: wanted, object });
    if (object === now?.object) return;
    if (now === undefined) namespaces.appeared(wanted);
    put(id, object);
  };

  const replaceClaims = (file: string, before: readonly Claim[], after: readonly Claim[], time: number) => {
    const touched = new Set([...before, ...after].map((claim) => claim.id));
    for (const { id } of before) {
      const rest = (claims.get(id) ?? []).filter((claim) => claim.file !== file);
      if (rest.length > 0) claims.set(id, rest);
      else claims.delete(id);
    }
    for (const claim of after) {
      const others = claims.get(claim.id);
      claims.set(claim.id, others ? [...others, claim].sort(compareClaims) : [claim]);
    }
    for (const id of touched) {
      settle(id, time);
      for (const claim of claims.get(id) ?? []) dirtyFiles.add(claim.file);
    }
  };

  return {
    update(file, content, now) {
      const before = files.get(file) ?? emptyFile;
      const after = readFile(file, content, before);
      if (content === undefined) files.delete(file);
      else files.set(file, after);
      dirtyFiles.add(file);
      replaceClaims(file, before.claims, after.claims, now);
    },
    oldestRemoval: () => removals.values().next().value,
    settleRemovals(markedAt) {
      for (const [id, time] of removals) {
        if (time > markedAt) break;
        removals.delete(id);
        const gone = served.get(id)?.object;
        served.delete(id);
        put(id, undefined);
        if (gone) namespaces.disappeared(gone);
      }
    },
    takeBatch() {
      if (batch.size === 0) return undefined;
      const taken = Object.fromEntries(batch) as ObjectBatch;
      batch = new Map();
      return taken;
    },
    takeProblems() {
      const changed = new Map<string, readonly InputProblem[]>();
      for (const file of dirtyFiles) {
        const problems = problemsOf(file, files.get(file) ?? emptyFile, claims);
        const signature = JSON.stringify(problems);
        if (signature === (reported.get(file) ?? "[]")) continue;
        if (problems.length === 0) reported.delete(file);
        else reported.set(file, signature);
        changed.set(file, problems);
      }
      dirtyFiles = new Set();
      return changed;
    },
    files: () => files.keys(),
    objectCount: () => served.size,
  };
}

function compareClaims(a: Claim, b: Claim): number {
  return compareStrings(a.file, b.file) || a.order - b.order;
}

/** Gives the new version of an object its generation, or the old version back when nothing has changed. */
function succeed(now: KubernetesObject, next: KubernetesObject): KubernetesObject {
  const generation = now.metadata.generation ?? 1;
  const { metadata, ...content } = next;
  const { metadata: metadataNow, ...contentNow } = now;
  const sameContent = isDeepStrictEqual(content, contentNow);
  if (sameContent && isDeepStrictEqual({ ...metadata, generation }, metadataNow)) return now;
  return { ...next, metadata: { ...metadata, generation: sameContent ? generation : generation + 1 } };
}

function readFile(file: string, content: FileContent, before: FileState): FileState {
  if (content === undefined) return emptyFile;
  if (typeof content !== "string") return { ...before, error: content.error };
  const known = new Map(before.documents.map((document) => [document.hash, document]));
  const documents: ReadDocument[] = [];
  const lines: number[] = [];
  for (const { text, line } of splitDocuments(content)) {
    const hash = contentHash(text);
    documents.push(known.get(hash) ?? readDocument(text, hash));
    lines.push(line);
  }
  return { documents, lines, claims: claimsOf(file, documents, lines, before.claims) };
}

function claimsOf(
  file: string,
  documents: readonly ReadDocument[],
  lines: readonly number[],
  before: readonly Claim[],
): readonly Claim[] {
  const previous = new Map<ObjectId, Claim>();
  for (const claim of before) if (claim.object && !previous.has(claim.id)) previous.set(claim.id, claim);
  const result: Claim[] = [];
  let unreadable = false;
  for (const [index, { entries, firstLine }] of documents.entries()) {
    const line = lines[index]! + firstLine - 1;
    for (const { id, name, object, unreadable: lost } of entries) {
      unreadable ||= lost === true;
      if (id === undefined) continue;
      result.push({ id, file, order: result.length, line, name, object: object ?? previous.get(id)?.object });
    }
  }
  if (unreadable) {
    const present = new Set(result.map((claim) => claim.id));
    for (const claim of previous.values()) {
      if (!present.has(claim.id)) result.push({ ...claim, order: result.length });
    }
  }
  return result;
}

function problemsOf(
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
    ? ownClaims.some((claim) => claim.object)
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
