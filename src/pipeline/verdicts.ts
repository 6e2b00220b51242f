import type { HostEntries } from "./routes.ts";
import type { Sources } from "./sources.ts";
import { type Entries, hashOf } from "./table-history.ts";

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

/** Entries that an Envoy refused alone, for all replicas to serve the same in their place. */
export interface Verdict {
  /** As in the collection `hostEntries`. */
  readonly key: string;
  /** Of the refused entries. */
  readonly hash: string;
  /** In the words of the Envoy that refused them. */
  readonly error: string;
  readonly replacement: HostEntries | undefined;
}

/** Verdicts of other replicas on entries that this one does not have, or not yet. */
const FORESEEN_MAX = 1000;

/** What is held back, and what of it is known to be bad. Methods that return a boolean return true when they staged something. */
export interface Verdicts {
  readonly culprits: ReadonlyMap<string, Verdict>;
  isHeld(key: string): boolean;
  hold(key: string, replacement: HostEntries | undefined): void;
  /** Culprits stay held. */
  release(keys: readonly string[]): void;
  convict(verdict: Verdict): void;
  edited(changes: Entries): boolean;
  adopt(verdict: Verdict): boolean;
}

export interface VerdictsOptions {
  /** The entries of a route as they are now. */
  readonly current: (key: string) => HostEntries | undefined;
  readonly onConvicted: (key: string) => void;
}

export function createVerdicts(sources: Sources, { current, onConvicted }: VerdictsOptions): Verdicts {
  const held = new Set<string>();
  const culprits = new Map<string, Verdict>();
  const foreseen = new Map<string, Verdict>();

  function hold(key: string, replacement: HostEntries | undefined): void {
    held.add(key);
    sources.heldEntries.set(key, { replacement });
  }

  function letGo(key: string): void {
    held.delete(key);
    sources.heldEntries.delete(key);
  }

  function convict(verdict: Verdict): void {
    const { key, error, replacement } = verdict;
    culprits.set(key, verdict);
    hold(key, replacement);
    const [table = "", host = "", route = ""] = key.split("|");
    sources.rejections.set(key, { route, table, host, error });
    onConvicted(key);
  }

  function foresee(verdict: Verdict): void {
    foreseen.delete(verdict.key);
    foreseen.set(verdict.key, verdict);
    const oldest = foreseen.size > FORESEEN_MAX ? foreseen.keys().next().value : undefined;
    if (oldest !== undefined) foreseen.delete(oldest);
  }

  function editedOne(key: string, entries: HostEntries | undefined): boolean {
    const culprit = culprits.get(key);
    const verdict = foreseen.get(key);
    if (culprit === undefined && verdict === undefined) return false;
    const hash = entries && hashOf(entries);
    const acquitted = culprit !== undefined && culprit.hash !== hash;
    if (acquitted) {
      culprits.delete(key);
      letGo(key);
      sources.rejections.delete(key);
    }
    if (verdict === undefined || verdict.hash !== hash) return acquitted;
    foreseen.delete(key);
    convict(verdict);
    return true;
  }

  return {
    culprits,
    isHeld: (key) => held.has(key),
    hold,
    release(keys) {
      for (const key of keys) if (!culprits.has(key)) letGo(key);
    },
    convict,
    edited: (changes) => [...changes].map(([key, entries]) => editedOne(key, entries)).includes(true),
    adopt(verdict) {
      const known = culprits.get(verdict.key);
      const now = current(verdict.key);
      if (now === undefined || hashOf(now) !== verdict.hash) {
        foresee(verdict);
        return false;
      }
      // Two replicas may have found the same: they must agree on what is served instead.
      if (known !== undefined && rankOf(known) >= rankOf(verdict)) return false;
      convict(verdict);
      return true;
    },
  };
}

/** Any order will do in which no two verdicts are equal. */
function rankOf({ replacement, error }: Verdict): string {
  return `${replacement === undefined ? "" : hashOf(replacement)} ${error}`;
}
