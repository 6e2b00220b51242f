import type { FleetKey } from "../base/keys.ts";
import { contentHash } from "../envoy/hash.ts";
import { type Acknowledgement, resourceTypes } from "../envoy/resource.ts";
import { bucketName, bucketOf, HOST_BUCKETS, isInEveryBucket } from "../translate/host-buckets.ts";
import type { Quarantine } from "./quarantine.ts";
import type { TableResource } from "./route-tables.ts";

/**
 * Tells the quarantine of tables where Envoy knows RouteConfigurations: of a table in buckets a version is taken when all its buckets are,
 * and refused when one of them is. Methods that return a boolean return true when something was staged.
 */
export interface TableVersions {
  /** RouteConfigurations are on their way to the Envoys, or gone. O(changes + buckets of the tables that changed). */
  published(changes: ReadonlyMap<string, TableResource | undefined>): boolean;
  /** A RouteConfiguration is on its way to an Envoy of this replica. */
  sent(fleet: FleetKey, node: string, name: string): void;
  /** An Envoy of this replica answered; answers about other types are ignored. O(changes of the versions that are not settled). */
  answered(answer: Acknowledgement): boolean;
  left(fleet: FleetKey, node: string): boolean;
}

/** A table, and what each of its versions changed. */
interface Table {
  /** Versions of its RouteConfigurations by name. */
  readonly parts: Map<string, string>;
  /** Oldest first. */
  readonly versions: { readonly version: string; readonly changes: Map<string, string> }[];
  /** By Envoy: the versions of RouteConfigurations that it took last. */
  readonly voters: Map<string, Voter>;
  /** By name and version of a RouteConfiguration, oldest first: an Envoy is not sent the same bytes again, so it will not say it again. */
  readonly refused: Map<string, Acknowledgement>;
}

interface Voter {
  readonly gateway: FleetKey;
  readonly node: string;
  readonly taken: Map<string, string>;
  told: string;
}

/** As many as the quarantine keeps. */
const VERSIONS_MAX = 64;
/** A wildcard is refused in every bucket. */
const REFUSED_MAX = 8 * HOST_BUCKETS;

export function createTableVersions(quarantine: Quarantine): TableVersions {
  const tables = new Map<string, Table>();
  const tableOf = new Map<string, string>();

  /** Whose RouteConfiguration it is. */
  function find(name: string): { readonly key: string; readonly table: Table } | undefined {
    const key = tableOf.get(name);
    const table = key === undefined ? undefined : tables.get(key);
    return key === undefined || table === undefined ? undefined : { key, table };
  }

  function publish(name: string, table: Table, changes: Map<string, string>): boolean {
    const version = versionOf(table, name);
    table.versions.push({ version, changes });
    if (table.versions.length > VERSIONS_MAX) mergeOldest(table);
    let staged = quarantine.published(name, version);
    // A part that is again what it was is not sent again, and so not answered again.
    for (const voter of table.voters.values()) staged = tell(name, table, voter) || staged;
    for (const [part, partVersion] of changes) {
      const refusal = table.refused.get(`${part} ${partVersion}`);
      if (refusal !== undefined) staged = refuse(name, table, refusal) || staged;
    }
    return staged;
  }

  function refuse(name: string, table: Table, { name: part, gateway, node, version, error }: Acknowledgement): boolean {
    const newest = table.versions.at(-1);
    // What it is now will be answered too.
    if (newest === undefined || table.parts.get(part) !== version) return false;
    const concerns = (host: string) => isInEveryBucket(host) || bucketName(name, bucketOf(host)) === part;
    return quarantine.answered({
      ...{ gateway, node, table: name, version: newest.version, accepted: false, concerns },
      ...(error !== undefined && { error }),
    });
  }

  /** Where the table is one RouteConfiguration, answers are about versions of it anyway. */
  function tell(name: string, table: Table, voter: Voter): boolean {
    if (table.parts.has(name)) return false;
    const { taken, seen } = positionsOf(table, voter);
    const version = table.versions[taken]?.version;
    const newest = table.versions[seen]?.version ?? version;
    if (version === undefined || voter.told === `${version} ${newest}`) return false;
    voter.told = `${version} ${newest}`;
    const { gateway, node } = voter;
    return quarantine.answered({ gateway, node, table: name, version, accepted: true, seen: newest! });
  }

  return {
    published(changes) {
      const changed = new Map<string, Map<string, string>>();
      for (const [name, value] of changes) {
        const key = value?.table ?? tableOf.get(name);
        if (key === undefined) continue;
        const table = tables.get(key) ?? { parts: new Map(), versions: [], voters: new Map(), refused: new Map() };
        tables.set(key, table);
        const own = changed.get(key) ?? new Map<string, string>();
        changed.set(key, own);
        if (value === undefined) {
          table.parts.delete(name);
          tableOf.delete(name);
        } else {
          table.parts.set(name, value.resource.version);
          own.set(name, value.resource.version);
          tableOf.set(name, key);
        }
      }
      let staged = false;
      for (const [key, own] of changed) {
        const table = tables.get(key)!;
        if (table.parts.size > 0) staged = publish(key, table, own) || staged;
        else {
          tables.delete(key);
          quarantine.removed(key);
        }
      }
      return staged;
    },
    sent(fleet, node, name) {
      const found = find(name);
      if (found === undefined) return;
      voterOf(found.table, fleet, node);
      quarantine.sent(fleet, node, found.key);
    },
    answered(answer) {
      const found = answer.type === resourceTypes.route ? find(answer.name) : undefined;
      if (found === undefined) return false;
      const { key, table } = found;
      const { gateway, node, name, version, accepted } = answer;
      if (name === key) return quarantine.answered({ ...answer, table: key });
      const voter = voterOf(table, gateway, node);
      if (accepted) {
        voter.taken.set(name, version);
        return tell(key, table, voter);
      }
      addRefused(table, answer);
      return refuse(key, table, answer);
    },
    left(fleet, node) {
      for (const { voters, refused } of tables.values()) {
        if (voters.delete(keyOf(fleet, node)) && voters.size === 0) refused.clear();
      }
      return quarantine.left(fleet, node);
    },
  };
}

/**
 * Equal on every replica for equal parts, as far as that goes: one that comes back is another version, since an Envoy that took what
 * followed the first has not taken the second.
 */
function versionOf(table: Table, name: string): string {
  const whole = table.parts.get(name);
  if (whole !== undefined) return whole;
  const version = hashOf(table);
  const isKnown = (candidate: string) => table.versions.some((known) => known.version === candidate);
  let number = 1;
  while (isKnown(numbered(version, number))) number++;
  return numbered(version, number);
}

function numbered(version: string, number: number): string {
  return number === 1 ? version : `${version}~${number}`;
}

function hashOf({ parts }: Table): string {
  return contentHash(
    [...parts]
      .map(([part, version]) => `${part} ${version}`)
      .sort()
      .join("\n"),
  );
}

/**
 * The newest version that an Envoy has all of, and the newest that it has any of; -1: none. A later version of a part counts for
 * the earlier ones.
 */
function positionsOf({ versions }: Table, { taken }: Voter): { readonly taken: number; readonly seen: number } {
  const reached = new Map<string, number>();
  for (const [position, { changes }] of versions.entries()) {
    for (const [name, version] of changes) if (taken.get(name) === version) reached.set(name, position);
  }
  const missing = versions.findIndex(({ changes }, position) =>
    [...changes.keys()].some((name) => (reached.get(name) ?? -1) < position),
  );
  return { taken: missing < 0 ? versions.length - 1 : missing - 1, seen: Math.max(-1, ...reached.values()) };
}

function voterOf({ voters }: Table, gateway: FleetKey, node: string): Voter {
  const key = keyOf(gateway, node);
  const voter = voters.get(key) ?? { gateway, node, taken: new Map(), told: "" };
  voters.set(key, voter);
  return voter;
}

function addRefused({ refused }: Table, answer: Acknowledgement): void {
  refused.set(`${answer.name} ${answer.version}`, answer);
  const oldest = refused.size > REFUSED_MAX ? refused.keys().next().value : undefined;
  if (oldest !== undefined) refused.delete(oldest);
}

function mergeOldest(table: Table): void {
  const [oldest, next] = table.versions;
  if (oldest === undefined || next === undefined) return;
  table.versions.splice(0, 2, { ...next, changes: new Map([...oldest.changes, ...next.changes]) });
}

function keyOf(fleet: FleetKey, node: string): string {
  return `${fleet} ${node}`;
}
