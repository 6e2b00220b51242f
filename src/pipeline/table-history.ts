import { contentHash } from "../envoy/hash.ts";
import { isInEveryBucket } from "../translate/host-buckets.ts";
import type { HostEntries } from "./routes.ts";

/** Changed entries by key; undefined: removed. */
export type Entries = ReadonlyMap<string, HostEntries | undefined>;

/** A published version of a table that is not settled. */
export interface PendingVersion {
  readonly version: string;
  /** What changed with it. */
  readonly entries: Map<string, HostEntries | undefined>;
  /** Published after one that is refused, and so refused for the same: that tells nothing of its own changes. */
  readonly poisoned: boolean;
  /** The first version with what was released last. */
  readonly trial: boolean;
}

/** Versions of a table; empty: none yet. */
export interface Vote {
  /** The newest that an Envoy has all of. */
  readonly taken: string;
  /** The newest that it has any of. */
  readonly seen: string;
}

export const noVote: Vote = { taken: "", seen: "" };

/** What is known of one route table. */
export interface TableHistory {
  /** Entries of the last accepted version, by key. */
  readonly confirmed: Map<string, HostEntries>;
  /** Oldest first. */
  pending: PendingVersion[];
  acceptedVersion: string;
  publishedVersion: string;
  /** Groups of held entries that wait for their trial; the last is next. */
  readonly groups: string[][];
  /** Only one group is on trial at a time, or a refusal would not say which it means. */
  trial: "none" | "released" | "published";
  /** The group. */
  onTrial: readonly string[];
  /** Commits that were over when it was released. */
  releasedAt: number;
  /** What was held back last is not published yet: released before, it would not change and not be judged. */
  holding: boolean;
  /** By fleet and node: each Envoy of this replica that was sent the table. */
  readonly voters: Map<string, Vote>;
  /** Versions that were refused, and why, oldest first. An Envoy is not sent the same bytes again, so it will not say it again. */
  readonly refused: Map<string, string>;
  /** Version that Envoys of other replicas took last. */
  acceptedElsewhere: string;
}

/** Published versions of one table that are not settled; older ones are merged beyond this many. */
const PENDING_VERSIONS_MAX = 64;
const REFUSED_VERSIONS_MAX = 64;

export function createHistory(): TableHistory {
  return {
    confirmed: new Map(),
    pending: [],
    acceptedVersion: "",
    publishedVersion: "",
    groups: [],
    trial: "none",
    onTrial: [],
    releasedAt: 0,
    holding: false,
    voters: new Map(),
    refused: new Map(),
    acceptedElsewhere: "",
  };
}

export function addPending(history: TableHistory, version: string, entries: PendingVersion["entries"]): void {
  history.publishedVersion = version;
  history.holding = false;
  const trial = history.trial === "released";
  if (trial) history.trial = "published";
  history.pending.push({ version, entries, trial, poisoned: false });
  if (history.pending.length > PENDING_VERSIONS_MAX) mergeOldest(history);
}

export function addRefused({ refused }: TableHistory, version: string, error: string): void {
  refused.set(version, error);
  const oldest = refused.size > REFUSED_VERSIONS_MAX ? refused.keys().next().value : undefined;
  if (oldest !== undefined) refused.delete(oldest);
}

/** Where a version stands among the pending ones; -1: nowhere, since it is settled or was never published here. */
export function positionOf({ pending }: TableHistory, version: string): number {
  return pending.findLastIndex((candidate) => candidate.version === version);
}

/** The newest version that every voter has taken, or a later one; -1: none. */
export function unanimousPosition(history: TableHistory): number {
  const positions = votedPositions(history, "taken");
  return positions.length === 0 ? positionOf(history, history.acceptedElsewhere) : Math.min(...positions);
}

/** Entries up to a position that a voter never judged: what it took is a later version, in which they had changed again. */
export function overtakenEntries(history: TableHistory, position: number): ReadonlySet<string> {
  const newest = Math.max(...votedPositions(history, "seen"), position);
  return new Set(history.pending.slice(position + 1, newest + 1).flatMap(({ entries }) => [...entries.keys()]));
}

function votedPositions(history: TableHistory, which: keyof Vote): number[] {
  return [...history.voters.values()].map((vote) => positionOf(history, vote[which]));
}

/** Removes and returns the changes of the versions up to and including a position. */
export function takePending(history: TableHistory, position: number): Map<string, HostEntries | undefined> {
  const taken = new Map<string, HostEntries | undefined>();
  for (const { entries, trial } of history.pending.splice(0, position + 1)) {
    if (trial) history.trial = "none";
    for (const [key, value] of entries) taken.set(key, value);
  }
  return taken;
}

/** The same of changes on some hosts only; the versions stay, with the others. */
export function takeConcerned(
  history: TableHistory,
  position: number,
  concerns: (host: string) => boolean,
): Map<string, HostEntries | undefined> {
  const taken = new Map<string, HostEntries | undefined>();
  for (const { entries } of history.pending.slice(0, position + 1)) {
    for (const [key, value] of entries) if (concerns(hostOf(key)) && entries.delete(key)) taken.set(key, value);
  }
  if (history.trial === "published" && history.onTrial.some((key) => taken.has(key))) {
    history.trial = "none";
    history.pending = history.pending.map((each) => ({ ...each, trial: false }));
  }
  return taken;
}

/** Gives changes back to be judged with the first version that follows. */
export function putBack(entries: PendingVersion["entries"], taken: Entries): void {
  for (const [key, value] of taken) if (!entries.has(key)) entries.set(key, value);
}

/** A version that is pending is the trial of what was on trial in an earlier one. */
export function retryWith(history: TableHistory, version: PendingVersion): void {
  history.trial = "published";
  history.pending = history.pending.map((each) => (each === version ? { ...each, trial: true } : each));
}

/**
 * What is pending was published before anybody knew of the refusal; its changes are judged with the next version.
 *
 * @returns whether one of them was a trial
 */
export function poisonPending(history: TableHistory): boolean {
  const trial = history.pending.some((each) => each.trial);
  history.pending = history.pending.map((each) => ({ ...each, trial: false, poisoned: true }));
  return trial;
}

function mergeOldest(history: TableHistory): void {
  const [oldest, next] = history.pending;
  if (oldest === undefined || next === undefined) return;
  for (const [key, value] of next.entries) oldest.entries.set(key, value);
  history.pending.splice(0, 2, { ...next, entries: oldest.entries, trial: oldest.trial || next.trial });
}

/** Equal on every replica for equal entries. */
export function hashOf(entries: HostEntries): string {
  return contentHash(entries.entries.map(({ hash }) => hash).join());
}

export function tableOf(entriesKey: string): string {
  return entriesKey.slice(0, entriesKey.indexOf("|"));
}

export function hostOf(entriesKey: string): string {
  return entriesKey.slice(entriesKey.indexOf("|") + 1, entriesKey.lastIndexOf("|"));
}

export function routeOf(entriesKey: string): string {
  return entriesKey.slice(entriesKey.lastIndexOf("|") + 1);
}

/** One of them is in every bucket: what they say of a bucket they say of all. */
export function isEverywhere(keys: Iterable<string>): boolean {
  return [...keys].some((key) => isInEveryBucket(hostOf(key)));
}
