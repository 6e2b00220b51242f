import type { ObjectKey } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import { createSharedWaits } from "./back-off.ts";
import type { KubeClient } from "./client.ts";
import {
  createKindFollower,
  type FollowedKind,
  type FollowerContext,
  type FollowerState,
  type KindFollower,
} from "./kind-follower.ts";
import { DEFAULT_TIMING, type ListWatchTiming, type ObjectChanges } from "./list-watch.ts";
import type { KubeObject } from "./resource-type.ts";
import { followServedTypes } from "./served-types.ts";

/** Where namespaced objects are read; cluster-scoped kinds are read in any case. */
export type WatchScope =
  | { readonly type: "All" }
  | { readonly type: "Namespaces"; readonly namespaces: readonly string[] }
  /** All namespaces whose labels match, as they come and go. The selector as in `kubectl get -l`. */
  | { readonly type: "NamespaceSelector"; readonly selector: string };

export interface WatchSetOptions {
  readonly client: Pick<KubeClient, "listPage" | "openWatch" | "discovery">;
  readonly kinds: readonly FollowedKind[];
  readonly scope: WatchScope;
  readonly log: Logger;
  readonly timing?: ListWatchTiming;
  readonly discoveryIntervalMilliseconds?: number;
  readonly onChanges: (collection: string, changes: ObjectChanges) => void;
  /** A kind turns out not to be installed, or is installed again; of a kind that nothing was said of there is no doubt. */
  readonly onPresence?: (collection: string, present: boolean) => void;
  /** Called once: every kind has been handed on in full, or is not installed. */
  readonly onSynced: () => void;
}

/** Many kinds followed as one. */
export interface WatchSet {
  readonly synced: boolean;
  states(): readonly FollowerState[];
  /** Nothing is handed on after this. */
  stop(): void;
}

/** A missing permission is believed after so long: while an API server starts, it refuses what it will allow. */
const FORBIDDEN_PATIENCE_MS = 5000;
/** A new namespace is handed on when all its kinds are there, or after so long without the rest. */
const NEW_NAMESPACE_PATIENCE_MS = 30_000;
const CHECK_INTERVAL_MS = 500;

/** The kinds of one namespace, or, with `undefined`, those that are read across namespaces. */
interface Part {
  readonly followers: KindFollower[];
  readonly since: number;
  /** Changes of a namespace that came later: its objects appear together, not routes before their backends. */
  held: Map<string, Map<ObjectKey, KubeObject | undefined>> | undefined;
}

/** Follows kinds until `stop`, whatever the server does; see `startListWatch` for what is never lost. */
export function startWatchSet(options: WatchSetOptions): WatchSet {
  const { client, scope, log, kinds } = options;
  const parts = new Map<string | undefined, Part>();
  const refusedSince = new Map<KindFollower, number>();
  let synced = false;
  let stopped = false;

  const served = followServedTypes(client, log, adaptAll, options.discoveryIntervalMilliseconds);
  const context: FollowerContext = {
    client,
    served,
    waits: createSharedWaits(),
    timing: options.timing ?? DEFAULT_TIMING,
    log,
  };

  function adaptAll(): void {
    for (const { followers } of parts.values()) for (const follower of followers) follower.adapt();
  }

  function openPart(namespace: string | undefined, members: readonly FollowedKind[]): void {
    const part: Part = { followers: [], since: performance.now(), held: synced ? new Map() : undefined };
    parts.set(namespace, part);
    for (const kind of members) {
      const follower = createKindFollower(context, kind, namespace, {
        onChanges: (changes) => take(part, kind, changes),
        onSynced: check,
        onPresence: (present) => options.onPresence?.(kind.collection, present),
      });
      part.followers.push(follower);
    }
    for (const follower of part.followers) follower.adapt();
  }

  function closePart(namespace: string): void {
    const part = parts.get(namespace);
    if (part === undefined) return;
    release(part);
    parts.delete(namespace);
    for (const follower of part.followers) follower.stop({ empty: true });
  }

  function take(part: Part, kind: FollowedKind, changes: ObjectChanges): void {
    if (stopped) return;
    if (part.held === undefined) deliver(kind.collection, changes);
    else {
      const held = part.held.get(kind.collection) ?? new Map<ObjectKey, KubeObject | undefined>();
      part.held.set(kind.collection, held);
      for (const [key, object] of changes) held.set(key, object);
    }
    if (scope.type === "NamespaceSelector" && isNamespace(kind)) selectNamespaces(changes);
  }

  function selectNamespaces(changes: ObjectChanges): void {
    for (const [name, namespace] of changes) {
      if (namespace === undefined) closePart(name);
      else if (!parts.has(name)) openPart(name, namespacedKinds);
    }
  }

  function release(part: Part): void {
    const held = part.held;
    part.held = undefined;
    for (const [collection, changes] of held ?? []) deliver(collection, changes);
  }

  /** Whatever the taker does wrong, the others go on. */
  function deliver(collection: string, changes: ObjectChanges): void {
    try {
      options.onChanges(collection, changes);
    } catch (error) {
      const { stack } = error as Error;
      log.error("changed objects could not be taken; this is a bug in Gatehouse", { collection, error, stack });
    }
  }

  /** Looks whether something that was waited for has come, or need not be waited for any more. */
  function check(): void {
    if (stopped) return;
    const now = performance.now();
    for (const part of parts.values()) {
      for (const follower of part.followers) if (!follower.synced && isRefused(follower, now)) follower.acceptEmpty();
      const complete = part.followers.every((follower) => follower.synced);
      if (part.held && (complete || now - part.since > NEW_NAMESPACE_PATIENCE_MS)) release(part);
    }
    if (synced || [...parts.values()].some((part) => part.followers.some((follower) => !follower.synced))) return;
    synced = true;
    options.onSynced();
  }

  function isRefused(follower: KindFollower, now: number): boolean {
    const refused = follower.kind.optional === true && follower.listWatchState?.error?.reason === "Forbidden";
    if (!refused) {
      refusedSince.delete(follower);
      return false;
    }
    const since = refusedSince.get(follower) ?? now;
    refusedSince.set(follower, since);
    return now - since > FORBIDDEN_PATIENCE_MS;
  }

  const namespacedKinds = kinds.filter((kind) => kind.namespaced);
  const selector = scope.type === "NamespaceSelector" ? { labelSelector: scope.selector } : {};
  const clusterKinds = kinds
    .filter((kind) => scope.type === "All" || !kind.namespaced)
    .map((kind) => (isNamespace(kind) ? { ...kind, ...selector } : kind));
  openPart(undefined, clusterKinds);
  if (scope.type === "Namespaces")
    for (const namespace of new Set(scope.namespaces)) openPart(namespace, namespacedKinds);
  const timer = setInterval(check, CHECK_INTERVAL_MS).unref();

  return {
    get synced() {
      return synced;
    },
    states: () => [...parts.values()].flatMap((part) => part.followers.map((follower) => follower.state)),
    stop() {
      stopped = true;
      clearInterval(timer);
      served.stop();
      for (const { followers } of parts.values()) for (const follower of followers) follower.stop();
    },
  };
}

function isNamespace({ group, kind }: FollowedKind): boolean {
  return group === "" && kind === "Namespace";
}
