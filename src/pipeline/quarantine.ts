import type { FleetKey } from "../base/keys.ts";
import type { Acknowledgement } from "../envoy/resource.ts";
import { shutEntry } from "../translate/shut-entry.ts";
import type { HostEntries } from "./routes.ts";
import type { Sources } from "./sources.ts";
import {
  addPending,
  addRefused,
  createHistory,
  type Entries,
  hashOf,
  isEverywhere,
  noVote,
  overtakenEntries,
  poisonPending,
  positionOf,
  putBack,
  retryWith,
  routeOf,
  type TableHistory,
  tableOf,
  takeConcerned,
  takePending,
  unanimousPosition,
} from "./table-history.ts";
import { createVerdicts, type Verdict } from "./verdicts.ts";

/**
 * Finds the routes for which Envoy refuses a whole RouteConfiguration. One refused table must not hold up the thousands of
 * routes beside the bad one, and Envoy's words seldom name it, so the entries that changed since the last accepted version are
 * held back, then released in halves: what is refused alone is the culprit, stays at its last accepted version, and is reported
 * on its route. About 2 · log2(n) pushes for one culprit among n changes. While tables are accepted the cost is O(changes).
 *
 * A version counts as accepted when all Envoys took it that answer here, and as refused when one of them did not. Of the
 * Envoys of other replicas only the end of their search counts: its verdicts, and the versions that they took.
 *
 * Methods that return a boolean return true when they staged something, which then waits for a commit.
 */
export interface Quarantine {
  /** A route's entries were edited or deleted (`hostEntries`): a culprit gets a new trial. */
  edited(changes: Entries): boolean;
  /** What is served changed (`servedEntries`), as part of the table versions that follow. */
  served(changes: Entries): void;
  /** A table version is on its way to the Envoys. */
  published(table: string, version: string): boolean;
  /** There is no such table any more. */
  removed(table: string): void;
  /** A commit is over: something that was released may have turned out to change nothing. */
  committed(): boolean;
  /** A table is on its way to an Envoy of this replica: its answer is waited for. */
  sent(fleet: FleetKey, node: string, table: string): void;
  /** An Envoy of this replica answered; see {@link TableAnswer}. */
  answered(answer: TableAnswer): boolean;
  /**
   * Routes by what is known of an earlier control plane: Envoy refused this one, or (false) there is no more reason to think so.
   */
  suspect(route: string, suspected: boolean): void;
  /** Suspects are left that were neither found to be bad nor cleared. */
  readonly suspecting: boolean;
  /** An Envoy left this replica: nobody waits for its answers. */
  left(fleet: FleetKey, node: string): boolean;
  /** Another replica found a culprit. */
  adopt(verdict: Verdict): boolean;
  /** Envoys of another replica took a version. */
  acceptedElsewhere(table: string, version: string): boolean;
  /** What this replica tells the others. */
  verdicts(): Iterable<Verdict>;
  verdict(key: string): Verdict | undefined;
  accepted(): Iterable<readonly [table: string, version: string]>;
}

/** What an Envoy says of a version of a table, as far as it has all of it. */
export interface TableAnswer extends Pick<Acknowledgement, "gateway" | "node" | "version" | "accepted" | "error"> {
  readonly table: string;
  /** Newest version of which the Envoy took anything. Default: `version`. */
  readonly seen?: string;
  /** Of a refusal: which hosts are in what was refused. Default: all. */
  readonly concerns?: (host: string) => boolean;
}

export interface QuarantineOptions {
  /** The entries of a route as they are now. */
  readonly current: (key: string) => HostEntries | undefined;
  /** {@link Quarantine.verdict} or {@link Quarantine.accepted} reads differently. */
  readonly onNews?: (news: { readonly key: string } | { readonly table: string }) => void;
}

const SUSPECTED_MAX = 1000;

export function createQuarantine(sources: Sources, options: QuarantineOptions): Quarantine {
  const { onNews = () => {} } = options;
  const tables = new Map<string, TableHistory>();
  const open = new Map<string, Map<string, HostEntries | undefined>>();
  const suspected = new Set<string>();
  const verdicts = createVerdicts(sources, {
    current: options.current,
    onConvicted(key) {
      suspected.delete(routeOf(key));
      onNews({ key });
    },
  });
  /** Tables with something released that was not seen in a version yet. */
  const released = new Set<string>();
  let commits = 0;

  function historyOf(table: string): TableHistory {
    const history = tables.get(table) ?? createHistory();
    tables.set(table, history);
    return history;
  }

  /** Changes that the next version of a table will have. */
  function openOf(table: string): Map<string, HostEntries | undefined> {
    const entries = open.get(table) ?? new Map();
    open.set(table, entries);
    return entries;
  }

  function settle(table: string, history: TableHistory): boolean {
    const position = unanimousPosition(history);
    if (position < 0) return false;
    history.acceptedVersion = history.pending[position]!.version;
    const overtaken = overtakenEntries(history, position);
    for (const [key, entries] of takePending(history, position)) {
      if (overtaken.has(key)) continue;
      if (entries === undefined) history.confirmed.delete(key);
      else history.confirmed.set(key, entries);
    }
    if (history.voters.size > 0) onNews({ table });
    const goesOn = releaseNext(table, history);
    if (!goesOn && history.trial === "none" && suspected.size > 0) {
      for (const key of history.confirmed.keys()) suspected.delete(routeOf(key));
    }
    return goesOn;
  }

  function releaseNext(table: string, history: TableHistory): boolean {
    const group = history.trial === "none" && !history.holding ? history.groups.pop() : undefined;
    if (group === undefined) return false;
    verdicts.release(group);
    history.onTrial = group;
    awaitTrial(table, history);
    return true;
  }

  function poison(table: string, history: TableHistory): void {
    if (poisonPending(history)) awaitTrial(table, history);
  }

  /** The next version is the trial, unless there is none. */
  function awaitTrial(table: string, history: TableHistory): void {
    history.trial = "released";
    history.releasedAt = commits;
    released.add(table);
  }

  /** Nobody is left to try with: what is held on suspicion is served again. */
  function giveUp(history: TableHistory): boolean {
    const keys = history.groups.splice(0).flat();
    verdicts.release(keys);
    history.trial = "none";
    history.holding = false;
    history.refused.clear();
    // Whoever comes next may be the first to judge them.
    if (keys.length > 0)
      addPending(history, history.publishedVersion, new Map(keys.map((key) => [key, options.current(key)])));
    return keys.length > 0;
  }

  function refuse(
    table: string,
    history: TableHistory,
    { version, error = "no reason given", concerns }: Pick<TableAnswer, "version" | "error" | "concerns">,
  ): boolean {
    const position = positionOf(history, version);
    if (position < 0 || history.pending[position]!.poisoned) return false;
    const trial = history.trial;
    const entries = concerns ? takeConcerned(history, position, concerns) : takePending(history, position);
    const changed = [...entries].filter(([key]) => !verdicts.isHeld(key));
    if (changed.some(([key, value]) => !isCurrent(key, value))) {
      // Edited since: the next version tells more.
      const [next] = concerns ? [] : history.pending;
      putBack(next?.entries ?? openOf(table), entries);
      if (concerns && isEverywhere(entries.keys())) poison(table, history);
      if (history.trial === trial) return false;
      if (next === undefined) awaitTrial(table, history);
      else retryWith(history, next);
      return false;
    }
    const changes = changed.filter(([key, value]) => isSuspect(history, key, value)).map(([key]) => key);
    const suspects = chooseSuspects(history, changes);
    // Of a bucket only what is everywhere says something about the others.
    if (concerns === undefined || isEverywhere(changes)) poison(table, history);
    const [culprit] = suspects;
    if (culprit === undefined) return false;
    if (suspects.length < changes.length) putBack(openOf(table), entries);
    else if (suspects.length === 1) {
      const hash = hashOf(entries.get(culprit)!);
      verdicts.convict({ key: culprit, hash, error, replacement: standIn(history, culprit) });
      return true;
    }
    for (const key of suspects) verdicts.hold(key, standIn(history, key));
    history.holding = true;
    const half = suspects.length >> 1;
    history.groups.push(...[suspects.slice(half), suspects.slice(0, half)].filter((group) => group.length > 0));
    return true;
  }

  /**
   * A control plane that has just started does not know what Envoy had before: to hold back everything would cost every route of the table.
   * Those that Envoy refused in the time of an earlier one are tried first.
   */
  function chooseSuspects({ acceptedVersion }: TableHistory, changes: readonly string[]): readonly string[] {
    const known = acceptedVersion === "" ? changes.filter((key) => suspected.has(routeOf(key))) : [];
    return known.length > 0 ? known : changes;
  }

  /** The last accepted version; where that let pass whom a SecurityPolicy now asks, nobody passes. */
  function standIn({ confirmed }: TableHistory, key: string): HostEntries | undefined {
    const accepted = confirmed.get(key);
    if (accepted === undefined || accepted.guarded || !options.current(key)?.guarded) return accepted;
    return { ...accepted, guarded: true, entries: accepted.entries.map(shutEntry) };
  }

  function isCurrent(key: string, entries: HostEntries | undefined): boolean {
    const now = options.current(key);
    return now === undefined || entries === undefined ? now === entries : hashOf(now) === hashOf(entries);
  }

  function isSuspect({ confirmed }: TableHistory, key: string, entries: HostEntries | undefined): boolean {
    if (entries === undefined) return false;
    const before = confirmed.get(key);
    return before === undefined || hashOf(before) !== hashOf(entries);
  }

  return {
    edited: verdicts.edited,
    served(changes) {
      for (const [key, entries] of changes) openOf(tableOf(key)).set(key, entries);
    },
    published(table, version) {
      const history = historyOf(table);
      addPending(history, version, openOf(table));
      open.delete(table);
      const error = history.refused.get(version);
      return error === undefined ? settle(table, history) : refuse(table, history, { version, error });
    },
    removed(table) {
      const history = tables.get(table);
      if (history !== undefined) giveUp(history);
      tables.delete(table);
      open.delete(table);
    },
    committed() {
      let staged = false;
      for (const table of [...released]) {
        const history = tables.get(table);
        if (history?.trial !== "released") released.delete(table);
        // Before the present commit began, and so it was part of it.
        else if (history.releasedAt < commits) {
          history.trial = "none";
          released.delete(table);
          staged = releaseNext(table, history) || staged;
        }
      }
      commits++;
      return staged;
    },
    sent(fleet, node, table) {
      const voters = tables.get(table)?.voters;
      const voter = voterOf(fleet, node);
      if (voters?.has(voter) === false) voters.set(voter, noVote);
    },
    answered(answer) {
      const { table, version, accepted, error = "no reason given", seen = version } = answer;
      const history = tables.get(table);
      if (history === undefined) return false;
      const voter = voterOf(answer.gateway, answer.node);
      if (accepted) {
        history.voters.set(voter, { taken: version, seen });
        return settle(table, history);
      }
      if (!history.voters.has(voter)) history.voters.set(voter, noVote);
      // Where a part was refused, the next version may have the same part.
      if (answer.concerns === undefined) addRefused(history, version, error);
      return refuse(table, history, answer);
    },
    suspect(route, isSuspected) {
      if (!isSuspected) suspected.delete(route);
      else if (suspected.size < SUSPECTED_MAX) suspected.add(route);
    },
    get suspecting() {
      return suspected.size > 0;
    },
    left(fleet, node) {
      let staged = false;
      const voter = voterOf(fleet, node);
      for (const [table, history] of tables) {
        if (!history.voters.delete(voter)) continue;
        staged = (history.voters.size === 0 ? giveUp(history) : settle(table, history)) || staged;
      }
      return staged;
    },
    adopt: verdicts.adopt,
    acceptedElsewhere(table, version) {
      const history = tables.get(table);
      if (history === undefined) return false;
      history.acceptedElsewhere = version;
      return history.voters.size === 0 && settle(table, history);
    },
    verdicts: () => verdicts.culprits.values(),
    verdict: (key) => verdicts.culprits.get(key),
    accepted: () =>
      [...tables].flatMap(([table, { voters, acceptedVersion }]) =>
        voters.size > 0 && acceptedVersion !== "" ? [[table, acceptedVersion] as const] : [],
      ),
  };
}

function voterOf(fleet: FleetKey, node: string): string {
  return `${fleet} ${node}`;
}
