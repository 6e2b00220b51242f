import { type FieldProblem, formatFieldProblem } from "../../api/field.ts";
import { type CollectionName, validateObject } from "../../api/kinds.ts";
import type { KubernetesObject } from "../../api/object.ts";
import type { ObjectKey } from "../../base/keys.ts";
import type { Logger } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { FollowedKind, FollowerState } from "../../kube/kind-follower.ts";
import type { ListWatchTiming, ObjectChanges } from "../../kube/list-watch.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
import { startWatchSet, type WatchScope } from "../../kube/watch-set.ts";
import type { Batch } from "../../pipeline/pipeline.ts";
import type { InstalledApi } from "../../pipeline/sources.ts";
import { createStringPool } from "../string-pool.ts";
import { followedKinds } from "./followed-kinds.ts";
import { createInstalledApiReader, gatewayApiDefinition } from "./installed-api.ts";
import { revisionOf } from "./revision.ts";

/** What is wrong with an object that the API server took. */
export interface ObjectProblem {
  readonly kind: string;
  readonly key: ObjectKey;
  /** Of the object that is wrong. */
  readonly generation?: number;
  /** `error`: the object is not used as it is. `warning`: it is, but for the fields named. */
  readonly severity: "error" | "warning";
  readonly fields: readonly FieldProblem[];
  /** True: its last version without errors stays in use. */
  readonly keepsPrevious: boolean;
  /** The object's `spec` as it came. */
  readonly spec: unknown;
}

export interface KubernetesInputOptions {
  readonly client: Pick<KubeClient, "listPage" | "openWatch" | "discovery">;
  readonly scope: WatchScope;
  readonly log: Logger;
  /** Default: every kind that Gatehouse reads. */
  readonly kinds?: readonly FollowedKind[];
  readonly timing?: ListWatchTiming;
  readonly discoveryIntervalMilliseconds?: number;
  /** Takes changed objects, validated and slimmed, as they come. */
  onBatch(batch: Batch): void;
  /** Called once, after the batches that make the first picture complete. */
  onSynced(): void;
  /** Shows each object as the server has it, with its status and before it is judged; undefined = deleted. Keep only what you need. */
  onObserved?(collection: CollectionName, key: ObjectKey, object: KubeObject | undefined): void;
  /** Tells which Gateway API the cluster has, as far as it may be read: before `onSynced`, and when it changes. */
  onInstalledApi?(installed: InstalledApi): void;
  /** An object's problem came, changed, or (undefined) is solved. They are logged in any case. */
  onProblem?(collection: CollectionName, key: ObjectKey, problem: ObjectProblem | undefined): void;
}

/** The provider of objects for clusters: the API server's, followed until {@link stop}. */
export interface KubernetesInput {
  readonly synced: boolean;
  /** What each kind's list-watch does, for metrics and for people who wait. */
  states(): readonly FollowerState[];
  problems(): IterableIterator<ObjectProblem>;
  stop(): void;
}

/** Follows all kinds. An object that our validators refuse although the API server took it costs itself alone: its last good version stays. */
export function startKubernetesInput(options: KubernetesInputOptions): KubernetesInput {
  const { client, scope, log, timing, discoveryIntervalMilliseconds, kinds = followedKinds } = options;
  const problems = new Map<string, ObjectProblem>();
  const inUse = new Map<CollectionName, Set<ObjectKey>>();
  const judged = new Map<CollectionName, Map<ObjectKey, string>>();
  const strings = createStringPool();
  const installedApi = createInstalledApiReader();

  function reportProblem(collection: CollectionName, key: ObjectKey, problem: ObjectProblem | undefined): void {
    const id = `${collection} ${key}`;
    if (problem === undefined && !problems.has(id)) return;
    if (problem === undefined) problems.delete(id);
    else problems.set(id, problem);
    options.onProblem?.(collection, key, problem);
    if (problem) {
      const { kind, fields, keepsPrevious } = problem;
      const told = { kind, key, problems: fields.map(formatFieldProblem), keepsPrevious };
      log.warn("an object of the API server is not understood", told);
    }
  }

  /** True: a version of the object that differs from this one by its status alone was judged already. */
  function isJudged(collection: CollectionName, key: ObjectKey, raw: KubeObject | undefined): boolean {
    const revisions = judged.get(collection) ?? new Map<ObjectKey, string>();
    judged.set(collection, revisions);
    const revision = raw && revisionOf(raw);
    if (revision !== undefined && revisions.get(key) === revision) return true;
    if (revision === undefined) revisions.delete(key);
    else revisions.set(key, revision);
    return false;
  }

  function receive(collection: CollectionName, changes: ObjectChanges): Map<ObjectKey, KubernetesObject | undefined> {
    const batch = new Map<ObjectKey, KubernetesObject | undefined>();
    const used = inUse.get(collection) ?? new Set();
    inUse.set(collection, used);
    for (const [key, raw] of changes) {
      options.onObserved?.(collection, key, raw);
      // Half of all events when statuses are written: no more than they bring is done about them.
      if (isJudged(collection, key, raw)) continue;
      const { object, problems: fields } = raw ? validateObject(raw, "drop") : { problems: [] };
      const kept = raw !== undefined && object === undefined && used.has(key);
      if (raw === undefined) used.delete(key);
      else if (object !== undefined) used.add(key);
      if (!kept) batch.set(key, object && strings.compact(withoutVersion(object)));
      reportProblem(collection, key, raw && describeProblem(raw, key, { object, fields, kept }));
    }
    return batch;
  }

  const set = startWatchSet({
    client,
    kinds: options.onInstalledApi ? [...kinds, gatewayApiDefinition] : kinds,
    scope,
    log,
    timing,
    discoveryIntervalMilliseconds,
    onSynced: () => options.onSynced(),
    onPresence(name, present) {
      const kind = kinds.find(({ collection }) => collection === name);
      const installed = kind && installedApi.found(kind, present);
      if (installed !== undefined) options.onInstalledApi?.(installed);
    },
    onChanges(name, changes) {
      if (name === gatewayApiDefinition.collection) return options.onInstalledApi?.(installedApi.defined(changes));
      const collection = name as CollectionName;
      const batch = receive(collection, changes);
      // Each object has passed the validator of its kind, and its kind decides the collection.
      if (batch.size > 0) options.onBatch({ [collection]: batch } as Batch);
    },
  });

  return {
    get synced() {
      return set.synced;
    },
    states: () => set.states(),
    problems: () => problems.values(),
    stop: () => set.stop(),
  };
}

function describeProblem(
  { kind, metadata, ...rest }: KubeObject & { readonly spec?: unknown },
  key: ObjectKey,
  found: { readonly object?: KubernetesObject; readonly fields: readonly FieldProblem[]; readonly kept: boolean },
): ObjectProblem | undefined {
  if (found.fields.length === 0) return undefined;
  const severity = found.object === undefined ? "error" : "warning";
  return {
    kind,
    key,
    generation: metadata.generation,
    severity,
    fields: found.fields,
    keepsPrevious: found.kept,
    spec: rest.spec,
  };
}

/** With it every write of a status, ours too, would look like a change of the object. */
function withoutVersion({
  metadata: { resourceVersion: _, ...metadata },
  ...object
}: KubernetesObject): KubernetesObject {
  return { ...object, metadata };
}
