import { type Acknowledgement, resourceTypes } from "../envoy/resource.ts";
import type { HostEntries } from "./routes.ts";
import type { Sources } from "./sources.ts";

/** What is served in place of entries that are held back: their last accepted version, or nothing. */
export interface HeldEntries {
  readonly replacement: HostEntries | undefined;
}

/** A route that Envoy refused on its own. */
export interface Rejection {
  readonly route: string;
  readonly table: string;
  readonly host: string;
  readonly error: string;
}

type Entries = ReadonlyMap<string, HostEntries | undefined>;

/** Published versions of one table that Envoy has not answered yet; older ones are merged beyond this many. */
const PENDING_VERSIONS_MAX = 64;

/** What is known of one route table. */
interface TableHistory {
  /** Entries of the last accepted version, by key. */
  readonly confirmed: Map<string, HostEntries>;
  /** Changed entries since, by the version that first held them, oldest first. */
  pending: { version: string; entries: Map<string, HostEntries | undefined> }[];
  acceptedVersion: string;
  /** Groups of held entries that wait for their trial; the last is next. */
  readonly groups: string[][];
  /** Entries refused alone: held until they are edited. */
  readonly culprits: Set<string>;
}

/**
 * Finds the routes for which Envoy refuses a whole RouteConfiguration. One refused table must not hold up the thousands of
 * routes beside the bad one, and Envoy's words seldom name it, so the entries that changed since the last accepted version are
 * held back, then released in halves: what is refused alone is the culprit, stays at its last accepted version, and is reported
 * on its route. About 2 · log2(n) pushes for one culprit among n changes. While tables are accepted the cost is O(changes).
 *
 * All methods return true when they staged something, which then waits for a commit.
 */
export interface Quarantine {
  /** A route's entries were edited or deleted (`hostEntries`): a culprit gets a new trial. */
  edited(changes: Entries): boolean;
  /** What is served changed (`servedEntries`), as part of the table versions that follow. */
  served(changes: Entries): void;
  /** A table version is on its way to the Envoys. */
  published(table: string, version: string): boolean;
  /** An Envoy answered; answers about other types are ignored. */
  answered(answer: Acknowledgement): boolean;
}

export function createQuarantine(sources: Sources): Quarantine {
  const tables = new Map<string, TableHistory>();
  const open = new Map<string, Map<string, HostEntries | undefined>>();

  function historyOf(table: string): TableHistory {
    let history = tables.get(table);
    if (history === undefined) {
      history = { confirmed: new Map(), pending: [], acceptedVersion: "", groups: [], culprits: new Set() };
      tables.set(table, history);
    }
    return history;
  }

  return {
    edited(changes) {
      let staged = false;
      for (const key of changes.keys()) {
        const history = tables.get(tableOf(key));
        if (history === undefined || !history.culprits.delete(key)) continue;
        sources.heldEntries.delete(key);
        sources.rejections.delete(key);
        staged = true;
      }
      return staged;
    },
    served(changes) {
      for (const [key, entries] of changes) {
        const table = tableOf(key);
        const entriesOfTable = open.get(table) ?? new Map();
        open.set(table, entriesOfTable.set(key, entries));
      }
    },
    published(table, version) {
      const history = historyOf(table);
      history.pending.push({ version, entries: open.get(table) ?? new Map() });
      open.delete(table);
      if (history.pending.length > PENDING_VERSIONS_MAX) mergeOldest(history);
      // Back at the accepted bytes nothing is sent, so no answer will come.
      return version === history.acceptedVersion && accept(history, version);
    },
    answered(answer) {
      const history = answer.type === resourceTypes.route ? tables.get(answer.name) : undefined;
      // Every Envoy of a fleet answers every version: the first answer counts, and what is settled stays so.
      if (history === undefined || !isPending(history, answer.version)) return false;
      return answer.accepted ? accept(history, answer.version) : refuse(history, answer);
    },
  };

  function accept(history: TableHistory, version: string): boolean {
    history.acceptedVersion = version;
    for (const [key, entries] of takePending(history, version)) {
      if (entries === undefined) history.confirmed.delete(key);
      else history.confirmed.set(key, entries);
    }
    const group = history.groups.pop();
    for (const key of group ?? []) sources.heldEntries.delete(key);
    return group !== undefined;
  }

  function refuse(history: TableHistory, answer: Acknowledgement): boolean {
    const changed = takePending(history, answer.version);
    const suspects = [...changed].filter(([key, entries]) => entries !== undefined && !isHeld(key)).map(([key]) => key);
    for (const key of suspects) sources.heldEntries.set(key, { replacement: history.confirmed.get(key) });
    if (suspects.length > 1) {
      const half = suspects.length >> 1;
      history.groups.push(suspects.slice(half), suspects.slice(0, half));
      return true;
    }
    const culprit = suspects[0];
    if (culprit === undefined) return false;
    history.culprits.add(culprit);
    const [table = "", host = "", route = ""] = culprit.split("|");
    sources.rejections.set(culprit, { route, table, host, error: answer.error ?? "no reason given" });
    return true;
  }

  function isHeld(key: string): boolean {
    return sources.heldEntries.get(key) !== undefined;
  }
}

function tableOf(entriesKey: string): string {
  return entriesKey.slice(0, entriesKey.indexOf("|"));
}

/** Removes and returns the changes up to and including a version; an unknown version is an old one and takes nothing. */
function takePending(history: TableHistory, version: string): Map<string, HostEntries | undefined> {
  const last = history.pending.findLastIndex((candidate) => candidate.version === version);
  const taken = new Map<string, HostEntries | undefined>();
  for (const { entries } of history.pending.splice(0, last + 1)) {
    for (const [key, value] of entries) taken.set(key, value);
  }
  return taken;
}

function isPending({ pending }: TableHistory, version: string): boolean {
  return pending.some((candidate) => candidate.version === version);
}

function mergeOldest(history: TableHistory): void {
  const [oldest, next] = history.pending;
  if (oldest === undefined || next === undefined) return;
  for (const [key, value] of next.entries) oldest.entries.set(key, value);
  history.pending.splice(0, 2, { version: next.version, entries: oldest.entries });
}
