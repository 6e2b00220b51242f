import { splitObjectKey } from "../base/keys.ts";
import type { KubeObject } from "../kube/resource-type.ts";
import { type DesiredEntry, entriesOf, fitEntries, isOwn, mergeEntries, NO_PRINT, printOf } from "./writer-entries.ts";
import { type DesiredFields, ownFields, stampFields } from "./writer-fields.ts";
import { type StatusKind, statusKinds } from "./writer-kinds.ts";

/** An object as an API server holds it, with its status. */
export interface StandingObject extends KubeObject {
  readonly status?: unknown;
}

/** What is remembered of an object instead of its status: about 200 bytes. */
export interface KnownObject {
  readonly uid: string | undefined;
  readonly generation: number | undefined;
  readonly resourceVersion: string | undefined;
  /** Of our part of its status as it stands. */
  readonly print: string;
  /** Entries of other controllers in its list. */
  readonly foreign: number;
  /** Its status has no content at all, so it can be written without being read. */
  readonly blank: boolean;
  /**
   * Print of the status that was written and of which the server made what stands (an older CRD does not know every field).
   * Writing it again would change nothing.
   */
  readonly written?: string;
}

export interface StatusTarget {
  /** `kind/namespace/name`, as reports are keyed. */
  readonly key: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly sharing: StatusKind["sharing"];
  readonly lane: StatusKind["lane"];
}

/** Undefined for kinds without a status of ours. */
export function parseTarget(key: string): StatusTarget | undefined {
  const slash = key.indexOf("/");
  const kind = key.slice(0, slash);
  const style = statusKinds.get(kind);
  return style && { key, kind, ...splitObjectKey(key.slice(slash + 1)), ...style };
}

/** Remembers an object as it stands. */
export function know(target: StatusTarget, object: StandingObject, controllerNames: readonly string[]): KnownObject {
  const { uid, generation, resourceVersion } = object.metadata;
  const identity = { uid, generation, resourceVersion };
  if (target.sharing === "fields") {
    return { ...identity, print: printOf(ownFields(object)), foreign: 0, blank: printOf(object.status) === NO_PRINT };
  }
  const entries = entriesOf(object.status, target.sharing);
  const own = entries.filter((entry) => isOwn(entry, controllerNames));
  return {
    ...identity,
    print: printOf(own),
    foreign: entries.length - own.length,
    blank: printOf(object.status) === NO_PRINT,
  };
}

/** Of the status that an object should have; {@link NO_PRINT} when we have nothing to say about it. */
export function printDesired({ sharing }: StatusTarget, desired: unknown, foreign: number): string {
  if (sharing === "fields") return printOf(desired);
  return printOf(fitEntries(desiredEntries(desired, sharing), sharing, foreign));
}

/**
 * The status to write onto what stands: a whole one that replaces it, or, where fields have owners, what we apply.
 *
 * @param now RFC 3339, seconds
 */
export function composeStatus(
  { sharing }: StatusTarget,
  desired: unknown,
  standing: unknown,
  controllerNames: readonly string[],
  now: string,
): object {
  if (sharing === "fields") return stampFields((desired ?? {}) as DesiredFields, standing, now);
  const own = desiredEntries(desired, sharing);
  const merged = mergeEntries(entriesOf(standing, sharing), own, sharing, controllerNames, now);
  return { ...(standing as object | undefined), [sharing]: merged };
}

function desiredEntries(desired: unknown, list: "parents" | "ancestors"): readonly DesiredEntry[] {
  return (desired as Readonly<Record<string, readonly DesiredEntry[]>> | undefined)?.[list] ?? [];
}
