import type { OperatorLogger, ResourceEvent, ResourceMeta } from "@dot-i/k8s-operator";
import type { KubeConfig } from "@kubernetes/client-node";
import type { ObjectKey } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import type { Answer, ApiError } from "./api-error.ts";
import { CLASS_FINALIZER, type ClassFinalizers, createClassFinalizers } from "./class-finalizer.ts";
import type { KubeClient } from "./client.ts";
import { type Election, type ElectionTiming, type Leadership, startElection } from "./leader-election.ts";
import type { KubeObject, ResourceType, Target } from "./resource-type.ts";

// The library is CommonJS and requires client-node, an ES module, which has to be evaluated by then: so it is loaded after it.
await import("@kubernetes/client-node");
const { default: dotOperator } = await import("@dot-i/k8s-operator");

/** A kind by what its URL says of it, whatever the version. */
export interface ObservedKind {
  readonly group: string;
  readonly plural: string;
}

/** Objects as the API server has them; undefined = deleted. */
export type Observe = (kind: ObservedKind, key: ObjectKey, object: KubeObject | undefined) => void;

export interface ElectionSettings {
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Differs between all replicas and all their lives. */
  readonly identity: string;
  readonly timing?: ElectionTiming;
}

export interface OperatorOptions {
  readonly config: KubeConfig;
  readonly client: KubeClient;
  readonly log: Logger;
  readonly controllerNames: readonly string[];
  /** Undefined: the only replica there is, leading from the start. */
  readonly election: ElectionSettings | undefined;
  /**
   * Starts what follows the API server. It is to show the objects of all kinds that it reads, and to say once that all are known.
   */
  startInput(observe: Observe, onSynced: () => void): { stop(): void };
  /** From now on this replica writes; see {@link Leadership}. */
  onElected(leadership: Leadership): void;
  /** Resolve when no write is under way. */
  onLost(): void | Promise<void>;
}

/** The running operator. */
export interface OperatorShell {
  /** Resolves when everything is started; the API server need not answer yet. */
  start(): Promise<void>;
  /** Stops writing, gives the leadership away, and stops following. */
  stop(): Promise<void>;
  readonly leading: boolean;
  /** Identity of the leading replica, if known. */
  readonly leader: string | undefined;
}

/**
 * The shell of the operator: what starts and stops with it, leadership, and the finalizers of GatewayClasses.
 *
 * @dot-i/k8s-operator gives the frame (start, init, stop) and the decision about finalizers. Its own watch would lose deletions
 * over a reconnect and exit the process on a reset, and its writes hide errors; so these parts are replaced by ours.
 */
export function createOperatorShell(options: OperatorOptions): OperatorShell {
  return new GatehouseOperator(options);
}

const gatewayGroup = "gateway.networking.k8s.io";

interface Watched {
  readonly objects: Map<ObjectKey, KubeObject>;
  readonly onEvent: (event: ResourceEvent) => Promise<void>;
}

/** A call that failed, where the overridden method has no other way to say so. */
class CallFailure extends Error {
  readonly apiError: ApiError;
  constructor(apiError: ApiError) {
    super(apiError.message);
    this.apiError = apiError;
  }
}

class GatehouseOperator extends dotOperator.default implements OperatorShell {
  readonly #options: OperatorOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #finalizers: ClassFinalizers;
  /** Ends the writes of the finalizers with the leadership. */
  #signal: AbortSignal = AbortSignal.abort();
  #input: { stop(): void } | undefined;
  #election: Election | undefined;
  #alone: AbortController | undefined;

  constructor(options: OperatorOptions) {
    super(adaptLogger(options.log));
    this.kubeConfig = options.config;
    this.#options = options;
    this.#finalizers = createClassFinalizers({
      isOurs: (object) => options.controllerNames.includes(controllerOf(object)),
      write: (object, decision, signal) => this.#writeFinalizer(object, decision, signal),
      log: options.log,
    });
  }

  protected override async init(): Promise<void> {
    const finalizers = this.#finalizers;
    await this.watchResource(gatewayGroup, "v1", "gatewayclasses", async ({ type, meta, object }) =>
      finalizers.observeClass(meta.name, isDeleted(type) ? undefined : (object as KubeObject)),
    );
    await this.watchResource(gatewayGroup, "v1", "gateways", async ({ type, meta, object }) =>
      finalizers.observeGateway(`${meta.namespace}/${meta.name}`, isDeleted(type) ? undefined : (object as KubeObject)),
    );
    this.#input = this.#options.startInput(
      (kind, key, object) => this.#observe(kind, key, object),
      () => finalizers.markSynced(),
    );
    this.#runForLeader();
  }

  override async stop(): Promise<void> {
    await this.#election?.stop();
    if (this.#alone) {
      this.#alone.abort();
      await this.#lose();
    }
    this.#input?.stop();
    super.stop();
  }

  get leading(): boolean {
    return this.#election?.leading ?? (this.#alone !== undefined && !this.#alone.signal.aborted);
  }

  get leader(): string | undefined {
    return this.#election?.leader;
  }

  #runForLeader(): void {
    const { client, log, election } = this.#options;
    if (election === undefined) {
      const alone = new AbortController();
      this.#alone = alone;
      this.#lead({ holds: () => !alone.signal.aborted, signal: alone.signal });
      return;
    }
    const onElected = (leadership: Leadership) => this.#lead(leadership);
    this.#election = startElection({ ...election, client, log, onElected, onLost: () => this.#lose() });
  }

  #lead(leadership: Leadership): void {
    this.#options.onElected(leadership);
    this.#finalizers.lead(leadership);
  }

  async #lose(): Promise<void> {
    await Promise.all([this.#options.onLost(), this.#finalizers.idle()]);
  }

  /** Events come from the list-watches of the input, which see every object anyway. */
  protected override async watchResource(
    group: string,
    _version: string,
    plural: string,
    onEvent: (event: ResourceEvent) => Promise<void>,
  ): Promise<void> {
    this.#watched.set(`${group}/${plural}`, { objects: new Map(), onEvent });
  }

  #observe({ group, plural }: ObservedKind, key: ObjectKey, object: KubeObject | undefined): void {
    const watched = this.#watched.get(`${group}/${plural}`);
    const before = watched?.objects.get(key);
    const shown = object ?? before;
    if (watched === undefined || shown === undefined) return;
    if (object === undefined) watched.objects.delete(key);
    else watched.objects.set(key, object);
    const { ResourceEventType: types, ResourceMetaImpl: meta } = dotOperator;
    const type = object === undefined ? types.Deleted : before === undefined ? types.Added : types.Modified;
    const event = { type, meta: meta.createWithPlural(plural, mutable(shown)), object: mutable(shown) };
    watched.onEvent(event).catch((error: unknown) => {
      this.#options.log.error("an event could not be taken; this is a bug in Gatehouse", { plural, key, error });
    });
  }

  async #writeFinalizer(
    object: KubeObject,
    decision: "add" | "remove",
    signal: AbortSignal,
  ): Promise<ApiError | undefined> {
    this.#signal = signal;
    const meta = dotOperator.ResourceMetaImpl.createWithPlural("gatewayclasses", mutable(object));
    const copy = structuredClone(object);
    try {
      if (decision === "remove" && !object.metadata.deletionTimestamp) {
        const rest = (object.metadata.finalizers ?? []).filter((name) => name !== CLASS_FINALIZER);
        await this.setResourceFinalizers(meta, rest);
      } else {
        // The library adds to a living object and takes from one that is being deleted.
        const event = { type: dotOperator.ResourceEventType.Modified, meta, object: mutable(copy) };
        await this.handleResourceFinalizer(event, CLASS_FINALIZER, async () => {});
      }
      return undefined;
    } catch (error) {
      if (error instanceof CallFailure) return error.apiError;
      throw error;
    }
  }

  /** Only if nobody else has changed the object, for somebody else's finalizer may be among the changes. */
  protected override async setResourceFinalizers(meta: ResourceMeta, finalizers: string[]): Promise<void> {
    const patch = { metadata: { finalizers, resourceVersion: meta.resourceVersion } };
    const options = { kind: "merge", signal: this.#signal } as const;
    unwrap(await this.#options.client.patch(typeOf(meta), targetOf(meta), patch, options));
  }

  /** @throws CallFailure, unlike the library's, which answers with null */
  protected override async setResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta> {
    const { apiVersion, kind, resourceVersion } = meta;
    const object = { apiVersion, kind, metadata: { ...targetOf(meta), resourceVersion }, status };
    return metaOf(meta, unwrap(await this.#options.client.replaceStatus(typeOf(meta), object)));
  }

  /** @throws CallFailure, unlike the library's, which answers with null */
  protected override async patchResourceStatus(meta: ResourceMeta, status: unknown): Promise<ResourceMeta> {
    const options = { kind: "merge", subresource: "status" } as const;
    return metaOf(meta, unwrap(await this.#options.client.patch(typeOf(meta), targetOf(meta), { status }, options)));
  }
}

function unwrap<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value;
  throw new CallFailure(answer.error);
}

function targetOf({ namespace, name }: ResourceMeta): Target {
  return { name, ...(namespace && { namespace }) };
}

/** An id is `plural.group/version`. */
function typeOf({ id, apiVersion, kind, namespace }: ResourceMeta): ResourceType {
  const slash = apiVersion.indexOf("/");
  return {
    group: slash < 0 ? "" : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    kind,
    plural: id.slice(0, id.indexOf(".")),
    namespaced: namespace !== undefined,
  };
}

function metaOf({ id }: ResourceMeta, object: KubeObject): ResourceMeta {
  return dotOperator.ResourceMetaImpl.createWithId(id, mutable(object));
}

/** The library's types know no readonly. */
function mutable(object: KubeObject): ResourceEvent["object"] {
  return object as ResourceEvent["object"];
}

function isDeleted(type: ResourceEvent["type"]): boolean {
  return type === dotOperator.ResourceEventType.Deleted;
}

function controllerOf(object: KubeObject): string {
  const { spec } = object as { readonly spec?: { readonly controllerName?: unknown } };
  return String(spec?.controllerName ?? "");
}

function adaptLogger(log: Logger): OperatorLogger {
  const write = (level: "debug" | "info" | "warn" | "error") => (message: string) => log[level](message);
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
