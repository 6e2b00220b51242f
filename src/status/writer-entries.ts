import { contentHash } from "../envoy/hash.ts";
import { type Condition, type DesiredCondition, judge } from "./conditions.ts";
import { ENTRIES_MAX, type Sharing } from "./writer-kinds.ts";

/**
 * Our part of `status.parents` or `status.ancestors`. Such a list is atomic: whoever writes it writes all of it, so every write
 * of ours carries the entries of others as they stand.
 */

/** An entry as it should read, without times. */
export interface DesiredEntry {
  readonly controllerName: string;
  readonly conditions: readonly DesiredCondition[];
  /** `parentRef` or `ancestorRef`, and nothing else. */
  readonly [field: string]: unknown;
}

/** An entry as it stands, of whomever. */
export interface StandingEntry {
  readonly controllerName?: string;
  readonly conditions?: readonly Condition[];
  readonly [field: string]: unknown;
}

export type ListName = Exclude<Sharing, "fields">;

/** The list of a status that came from an API server, which may have no status at all. */
export function entriesOf(status: unknown, list: ListName): readonly StandingEntry[] {
  const entries = (status as Readonly<Record<string, unknown>> | undefined)?.[list];
  return Array.isArray(entries) ? entries : [];
}

export function isOwn(entry: StandingEntry, controllerNames: readonly string[]): boolean {
  return entry.controllerName !== undefined && controllerNames.includes(entry.controllerName);
}

/**
 * Our entries, as many as there is room for beside those of others. When some have to be left out, the last says how many, and
 * those that something is wrong with come first.
 */
export function fitEntries(own: readonly DesiredEntry[], list: ListName, foreign: number): readonly DesiredEntry[] {
  const room = Math.max(0, ENTRIES_MAX[list] - foreign);
  if (own.length <= room) return own;
  if (room === 0) return [];
  const ranked = [...own].sort((a, b) => Number(isFine(a)) - Number(isFine(b)));
  const kept = ranked.slice(0, room);
  const last = kept.pop() as DesiredEntry;
  const message = `${own.length - room} more ${list} are not listed, because a status holds ${ENTRIES_MAX[list]} of all controllers`;
  const generation = last.conditions[0]?.observedGeneration;
  const note = judge("Aggregated", [{ condition: "Aggregated", reason: "Aggregated", message }], noGood, generation);
  return [...kept, { ...last, conditions: [...last.conditions.filter(({ type }) => type !== "Aggregated"), note] }];
}

const noGood = { reason: "", message: "" };

function isFine({ conditions }: DesiredEntry): boolean {
  return conditions.every(({ type, status }) => type !== "Accepted" || status === "True");
}

/** The list to write: entries of others untouched and in their order, then ours with the times at which statuses flipped. */
export function mergeEntries(
  standing: readonly StandingEntry[],
  own: readonly DesiredEntry[],
  list: ListName,
  controllerNames: readonly string[],
  now: string,
): StandingEntry[] {
  const foreign = standing.filter((entry) => !isOwn(entry, controllerNames));
  const before = new Map(
    standing.filter((entry) => isOwn(entry, controllerNames)).map((entry) => [identityOf(entry), entry.conditions]),
  );
  const fitting = fitEntries(own, list, foreign.length);
  return [
    ...foreign,
    ...fitting.map((entry) => ({ ...entry, conditions: stamp(entry.conditions, before.get(identityOf(entry)), now) })),
  ];
}

/** Conditions with their times: that of before while the status is the same, else now. */
export function stamp(
  conditions: readonly DesiredCondition[],
  before: readonly Condition[] | undefined,
  now: string,
): Condition[] {
  return conditions.map((condition) => {
    const previous = before?.find(({ type }) => type === condition.type);
    const unchanged = previous?.status === condition.status && previous.lastTransitionTime !== undefined;
    return { ...condition, lastTransitionTime: unchanged ? previous.lastTransitionTime : now };
  });
}

/** All of an entry but its conditions: its reference, filled in as the API server fills it in, and its controller. */
function identityOf({ conditions: _, ...rest }: StandingEntry | DesiredEntry): string {
  return canonical(rest);
}

/** The print of a part of a status that says nothing. */
export const NO_PRINT = "";

/**
 * The print of a part of a status: equal for equal content, whatever the times, the order of fields and of list items, what is left
 * to defaults, and what is empty rather than absent. {@link NO_PRINT} when there is no content.
 */
export function printOf(part: unknown): string {
  const text = canonical(part);
  return text === "" ? NO_PRINT : contentHash(text);
}

/** Defaults of references in the schemas of Gateway API, by the fields that hold references. */
const referenceDefaults: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  parentRef: { group: "gateway.networking.k8s.io", kind: "Gateway" },
  ancestorRef: { group: "gateway.networking.k8s.io", kind: "Gateway" },
};

/** Called four times for each status that is written, so it makes nothing but the text. */
function canonical(value: unknown, field = ""): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "object") return JSON.stringify(value);
  const items: string[] = [];
  if (Array.isArray(value)) {
    for (const item of value) add(items, canonical(item));
    return items.length === 0 ? "" : `[${items.sort().join()}]`;
  }
  const defaults = referenceDefaults[field];
  for (const name in defaults) if (!(name in value)) add(items, canonical(defaults[name]), name);
  for (const name of Object.keys(value)) {
    if (name === "lastTransitionTime") continue;
    add(items, canonical((value as Readonly<Record<string, unknown>>)[name], name), name);
  }
  return items.length === 0 ? "" : `{${items.sort().join()}}`;
}

function add(items: string[], text: string, name?: string): void {
  if (text !== "") items.push(name === undefined ? text : `${JSON.stringify(name)}:${text}`);
}
