import type { Readable } from "node:stream";
import type { KubeConfig } from "@kubernetes/client-node";
import { type Answer, errorOfFailure } from "./api-error.ts";
import type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  ListQuery,
  Page,
  PageQuery,
  PatchOptions,
  WatchQuery,
  WriteOptions,
} from "./client-calls.ts";
import { createCredentials } from "./credentials.ts";
import { createDiscovery, type Served } from "./discovery.ts";
import {
  apiVersionOf,
  describeTarget,
  type KubeObject,
  type ResourceType,
  resourcePath,
  type Target,
} from "./resource-type.ts";
import type { Rate } from "./token-bucket.ts";
import { type Call, createTransport, type Reply, type TransportCounters } from "./transport.ts";

/** An object as the server answers with it: what was sent, completed. */
export type Written<T extends KubeObject> = T & KubeObject;

/**
 * An API server. Every method answers with a value, whatever happens: `{ ok: true, value }` or `{ ok: false, error }`, an
 * {@link ApiError} that names object, status code and what can be done. A call takes one turn of the rate limit, has a time limit
 * and is given up by its signal; nothing is repeated here except once after a 401, with credentials read again.
 */
export interface KubeClient {
  get<T extends KubeObject>(type: ResourceType, target: Target, options?: CallOptions): Promise<Answer<T>>;
  listPage<T extends KubeObject>(type: ResourceType, query: PageQuery, options?: CallOptions): Promise<Answer<Page<T>>>;
  /** All pages, held in memory: for collections known to be small. Items have apiVersion and kind, as everywhere. */
  list<T extends KubeObject>(
    type: ResourceType,
    query?: ListQuery,
    options?: CallOptions,
  ): Promise<Answer<readonly T[]>>;
  /** `AlreadyExists` when there is one. */
  create<T extends KubeObject>(type: ResourceType, object: T, options?: WriteOptions): Promise<Answer<Written<T>>>;
  /** PUT. With a resourceVersion, `Conflict` when somebody else wrote in between. */
  replace<T extends KubeObject>(type: ResourceType, object: T, options?: WriteOptions): Promise<Answer<Written<T>>>;
  /** PUT on /status. The object needs its resourceVersion: `Conflict` when somebody else wrote in between. */
  replaceStatus<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options?: WriteOptions,
  ): Promise<Answer<Written<T>>>;
  /** Server-side apply: creates or merges. `Conflict` lists fields of other managers in `causes` unless forced. */
  serverSideApply<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options: ApplyOptions,
  ): Promise<Answer<Written<T>>>;
  /** Server-side apply on /status. `NotFound` when there is no such object: status never creates one. */
  applyStatus<T extends KubeObject>(type: ResourceType, object: T, options: ApplyOptions): Promise<Answer<Written<T>>>;
  patch<T extends KubeObject>(
    type: ResourceType,
    target: Target,
    patch: unknown,
    options: PatchOptions,
  ): Promise<Answer<T>>;
  /** `terminating`: finalizers or dependents hold it. `NotFound` is an error as everywhere. */
  delete(type: ResourceType, target: Target, options?: DeleteOptions): Promise<Answer<"deleted" | "terminating">>;
  /** Which kinds are served in which versions. Two requests without an answer's body while nothing changes. */
  discovery(options?: CallOptions): Promise<Answer<Served>>;
  /** The raw lines of a watch, with bookmarks. The stream ends by `signal`; use `watchCollection` of list-watch.ts rather than this. */
  openWatch(type: ResourceType, query: WatchQuery, options?: CallOptions): Promise<Answer<Readable>>;
  /** Namespace of the configuration: in a pod, its own. */
  readonly namespace: string | undefined;
  readonly counters: TransportCounters;
  close(): Promise<void>;
}

export interface KubeClientOptions {
  /** As `loadKubeConfig` of credentials.ts finds it. */
  readonly config: KubeConfig;
  /** Default {@link DEFAULT_RATE}. */
  readonly rate?: Rate;
  /** Default {@link DEFAULT_CONNECTIONS_MAX}. */
  readonly connectionsMax?: number;
  readonly userAgent?: string;
}

/** Envoy Gateway's defaults (`provider.kubernetes.client.rateLimit`). */
export const DEFAULT_RATE: Rate = { queriesPerSecond: 50, burst: 100 };
export const DEFAULT_CONNECTIONS_MAX = 16;
export const CALL_TIMEOUT_MS = 30_000;
const LIST_PAGE_ITEMS = 500;
/** A list whose snapshot expires between its pages is begun again so often. */
const LIST_ATTEMPTS_MAX = 3;

/**
 * Connects to an API server; nothing is sent before the first call.
 *
 * @throws Error when the kubeconfig names no cluster
 */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  const credentials = createCredentials(options.config);
  const transport = createTransport({
    credentials,
    rate: options.rate ?? DEFAULT_RATE,
    connectionsMax: options.connectionsMax ?? DEFAULT_CONNECTIONS_MAX,
    userAgent: options.userAgent ?? "gatehouse",
  });

  const discover = createDiscovery();

  async function send<T>(call: Omit<Call, "timeoutMilliseconds">, options: CallOptions = {}): Promise<Answer<T>> {
    const { signal, urgent, timeoutMilliseconds = CALL_TIMEOUT_MS } = options;
    const answer = await transport.send({ ...call, signal, urgent, timeoutMilliseconds });
    return answer.ok ? { ok: true, value: answer.value.body as T } : answer;
  }

  function write<T extends KubeObject>(
    method: "POST" | "PUT" | "PATCH",
    [type, verb, subresource]: readonly [ResourceType, string, "status"?],
    object: T,
    { fieldManager, force, contentType, ...options }: WriteOptions & { force?: boolean; contentType?: string } = {},
  ): Promise<Answer<Written<T>>> {
    const { namespace, name } = object.metadata;
    const path = resourcePath(type, method === "POST" ? { namespace } : { namespace, name }, subresource);
    const subject = `${verb} ${subresource ? "status of " : ""}${describeTarget(type, object.metadata)}`;
    return send(
      { method, path: path + queryText({ fieldManager, force }), subject, body: object, contentType },
      options,
    );
  }

  async function listPage<T extends KubeObject>(
    type: ResourceType,
    { namespace, ...query }: PageQuery,
    options: CallOptions = {},
  ): Promise<Answer<Page<T>>> {
    const path = resourcePath(type, { namespace }) + queryText({ ...query });
    const subject = `list ${describeTarget(type, { namespace })}`;
    const { signal, urgent, timeoutMilliseconds = CALL_TIMEOUT_MS } = options;
    const answer = await transport.send({ method: "GET", path, subject, signal, urgent, timeoutMilliseconds });
    return answer.ok ? readPage<T>(type, subject, answer.value) : answer;
  }

  return {
    get: (type, target, options) =>
      send(
        { method: "GET", path: resourcePath(type, target), subject: `get ${describeTarget(type, target)}` },
        options,
      ),
    listPage,
    async list<T extends KubeObject>(type: ResourceType, query: ListQuery = {}, options?: CallOptions) {
      for (let attempt = 1; ; attempt++) {
        const items: T[] = [];
        let next: string | undefined;
        for (;;) {
          const page = await listPage<T>(type, { ...query, limit: LIST_PAGE_ITEMS, continue: next }, options);
          if (!page.ok) {
            if (page.error.reason === "Expired" && attempt < LIST_ATTEMPTS_MAX) break;
            return page;
          }
          for (const item of page.value.items) items.push(item);
          next = page.value.continue;
          if (next === undefined) return { ok: true, value: items };
        }
      }
    },
    create: (type, object, options) => write("POST", [type, "create"], object, options),
    replace: (type, object, options) => write("PUT", [type, "replace"], object, options),
    replaceStatus: (type, object, options) => write("PUT", [type, "replace", "status"], object, options),
    serverSideApply: (type, object, options) =>
      write("PATCH", [type, "apply"], object, { ...options, contentType: APPLY_PATCH }),
    applyStatus: (type, object, options) =>
      write("PATCH", [type, "apply", "status"], object, { ...options, contentType: APPLY_PATCH }),
    patch: (type, target, patch, { kind, subresource, fieldManager, ...options }) =>
      send(
        {
          method: "PATCH",
          path: resourcePath(type, target, subresource) + queryText({ fieldManager }),
          subject: `patch ${subresource ? "status of " : ""}${describeTarget(type, target)}`,
          body: patch,
          contentType: `application/${kind === "merge" ? "merge" : "json"}-patch+json`,
        },
        options,
      ),
    async delete(type, target, { preconditions, propagation = "Background", ...options } = {}) {
      const answer = await send<{ readonly kind?: string }>(
        {
          method: "DELETE",
          path: resourcePath(type, target),
          subject: `delete ${describeTarget(type, target)}`,
          body: { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: propagation, preconditions },
        },
        options,
      );
      // The server answers with the object while something holds it, else with a Status or the object's last form.
      return answer.ok ? { ok: true, value: deletionState(answer.value) } : answer;
    },
    discovery: ({ signal, urgent, timeoutMilliseconds = CALL_TIMEOUT_MS } = {}) =>
      discover((call) => transport.send({ ...call, signal, urgent, timeoutMilliseconds })),
    openWatch(type, { namespace, ...query }, { signal, urgent, timeoutMilliseconds = CALL_TIMEOUT_MS } = {}) {
      const parameters = queryText({ ...query, watch: true, allowWatchBookmarks: true });
      return transport.open({
        method: "GET",
        path: resourcePath(type, { namespace }) + parameters,
        subject: `watch ${describeTarget(type, { namespace })}`,
        signal,
        urgent,
        timeoutMilliseconds,
      });
    },
    namespace: credentials.namespace,
    counters: transport.counters,
    close: () => transport.close(),
  };
}

const APPLY_PATCH = "application/apply-patch+yaml";

function queryText(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, String(value));
  return query.size === 0 ? "" : `?${query}`;
}

interface ListBody<T> {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly T[] | null;
}

/** Items of a list have no apiVersion and kind when they are of a built-in type. */
function readPage<T extends KubeObject>(type: ResourceType, subject: string, reply: Reply): Answer<Page<T>> {
  const body = reply.body as ListBody<T> | undefined;
  const resourceVersion = body?.metadata?.resourceVersion;
  if (typeof body !== "object" || !resourceVersion) {
    // What stands between us and the API server may answer 200 with something else; that must not look like an empty list.
    return { ok: false, error: errorOfFailure(subject, "Unavailable", "the answer is not a list") };
  }
  const apiVersion = apiVersionOf(type);
  const items = (body.items ?? []).map((item) => (item.kind ? item : { ...item, apiVersion, kind: type.kind }));
  const next = body.metadata?.continue;
  return { ok: true, value: { items, resourceVersion, bytes: reply.bytes, ...(next && { continue: next }) } };
}

function deletionState(
  body: { readonly kind?: string; readonly metadata?: unknown } | undefined,
): "deleted" | "terminating" {
  if (body?.kind === "Status") return "deleted";
  const metadata = body?.metadata as
    | { readonly finalizers?: readonly string[]; readonly deletionTimestamp?: string }
    | undefined;
  return metadata?.deletionTimestamp ? "terminating" : "deleted";
}
