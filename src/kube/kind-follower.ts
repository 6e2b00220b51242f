import type { Logger } from "../base/log.ts";
import type { SharedWaits } from "./back-off.ts";
import type { KubeClient } from "./client.ts";
import {
  type KnownVersions,
  type ListWatch,
  type ListWatchState,
  type ListWatchTiming,
  type ObjectChanges,
  startListWatch,
} from "./list-watch.ts";
import type { ResourceType } from "./resource-type.ts";
import type { ServedTypes, WantedKind } from "./served-types.ts";

/** A kind to follow, and how. */
export interface FollowedKind extends WantedKind {
  /** Names the collection to whoever takes the changes. */
  readonly collection: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** True: what we may not read counts as empty. Else everything waits for the permission. */
  readonly optional?: boolean;
}

/** What is shared by all followers of one server. */
export interface FollowerContext {
  readonly client: Pick<KubeClient, "listPage" | "openWatch">;
  readonly served: Pick<ServedTypes, "find" | "isGone">;
  readonly waits: SharedWaits;
  readonly timing: ListWatchTiming;
  readonly log: Logger;
}

export interface FollowerState {
  readonly collection: string;
  readonly namespace?: string;
  /** `absent`: its CRD is not installed. */
  readonly doing: ListWatchState["doing"] | "absent";
  readonly error?: string;
  readonly synced: boolean;
  readonly objects: number;
  readonly lists: number;
  readonly watches: number;
  readonly events: number;
  readonly failures: number;
}

/** One kind in one namespace, or in all, in whichever version is served; empty while none is. */
export interface KindFollower {
  readonly kind: FollowedKind;
  /** What was handed on is complete: the first list is through, or there is no such kind. Never becomes false again. */
  readonly synced: boolean;
  readonly state: FollowerState;
  readonly listWatchState: ListWatchState | undefined;
  /** What is served has become known, or has changed. */
  adapt(): void;
  /** Gives up waiting for the first list. */
  acceptEmpty(): void;
  /** Nothing is handed on after this, except, on request, that all objects are gone. */
  stop(options?: { readonly empty: boolean }): void;
}

export interface FollowerSink {
  readonly onChanges: (changes: ObjectChanges) => void;
  readonly onSynced: () => void;
  /** Called when it turns out that the kind is not installed, before `onSynced`, and when it is again. */
  readonly onPresence: (present: boolean) => void;
}

const noFigures = { lists: 0, watches: 0, events: 0, failures: 0 };

export function createKindFollower(
  { client, served, waits, timing, log }: FollowerContext,
  kind: FollowedKind,
  namespace: string | undefined,
  sink: FollowerSink,
): KindFollower {
  const known: KnownVersions = new Map();
  let current: { readonly type: ResourceType; readonly listWatch: ListWatch } | undefined;
  let figures = noFigures;
  let absent = false;
  let synced = false;
  let stopped = false;

  function markSynced(): void {
    if (synced) return;
    synced = true;
    sink.onSynced();
  }

  function empty(): void {
    const changes = new Map([...known.keys()].map((key) => [key, undefined]));
    known.clear();
    if (changes.size > 0) sink.onChanges(changes);
  }

  function end(): void {
    if (current === undefined) return;
    void current.listWatch.stop();
    figures = addFigures(figures, current.listWatch.figures);
    current = undefined;
  }

  /** With what is `known` handed over, another version of the same objects only brings what differs. */
  function start(type: ResourceType): void {
    const { labelSelector, fieldSelector } = kind;
    const listWatch = startListWatch({
      client,
      type,
      query: { namespace, labelSelector, fieldSelector },
      known,
      waits,
      timing,
      log,
      onChanges: sink.onChanges,
      onSynced: markSynced,
      isGone: () => served.isGone(type),
    });
    const mine = { type, listWatch };
    current = mine;
    void listWatch.ended.then((gone) => {
      if (gone && current === mine) lose();
    });
  }

  /**
   * Follows the kind in its best version. That discovery does not list it proves nothing, for a server that starts learns its
   * CRDs one after another: so the kind is asked for, and only a 404 that discovery confirms makes it absent.
   */
  function adapt(): void {
    if (stopped) return;
    const type = served.find(kind);
    if (type === undefined) {
      if (current === undefined && !absent) start(firstVersion(kind));
    } else if (current?.type.version !== type.version) {
      if (absent) sink.onPresence(true);
      absent = false;
      end();
      start(type);
    }
  }

  function lose(): void {
    end();
    if (served.find(kind) === undefined) {
      log.info("a kind is not installed; it is read as soon as it is", { kind: kind.kind, group: kind.group });
      absent = true;
      sink.onPresence(false);
      empty();
      markSynced();
    }
    adapt();
  }

  return {
    kind,
    get synced() {
      return synced;
    },
    get listWatchState() {
      return current?.listWatch.state;
    },
    get state() {
      const state = current?.listWatch.state;
      const doing: FollowerState["doing"] = state?.doing ?? (absent ? "absent" : "ended");
      return {
        collection: kind.collection,
        ...(namespace !== undefined && { namespace }),
        doing,
        ...(state?.error && { error: state.error.message }),
        synced,
        objects: known.size,
        ...addFigures(figures, current?.listWatch.figures ?? noFigures),
      };
    },
    adapt,
    acceptEmpty: markSynced,
    stop({ empty: emptying } = { empty: false }) {
      stopped = true;
      end();
      if (emptying) empty();
    },
  };
}

function firstVersion({ group, versions, kind, plural, namespaced }: FollowedKind): ResourceType {
  return { group, version: versions[0], kind, plural, namespaced };
}

function addFigures(a: typeof noFigures, b: typeof noFigures): typeof noFigures {
  return {
    lists: a.lists + b.lists,
    watches: a.watches + b.watches,
    events: a.events + b.events,
    failures: a.failures + b.failures,
  };
}
