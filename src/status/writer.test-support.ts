import type { Logger } from "../base/log.ts";
import { type Answer, errorOfStatus } from "../kube/api-error.ts";
import type { CallOptions } from "../kube/client-calls.ts";
import type { KubeObject, ResourceType } from "../kube/resource-type.ts";
import type { DesiredCondition } from "./conditions.ts";
import { createStatusWriter, type StatusWriter, type StatusWriterOptions } from "./writer.ts";
import type { StatusClient } from "./writer-attempt.ts";
import type { StandingEntry } from "./writer-entries.ts";
import type { StandingObject } from "./writer-objects.ts";

/*
 * What a real API server does is tested in test/status-writer. The server here gives the answers of bad days, at the moment that a
 * test chooses.
 */

export const OURS = "gatehouse.dev/gateway-controller";
export const OTHER = "example.com/other";

const routeType: ResourceType = {
  group: "gateway.networking.k8s.io",
  version: "v1",
  kind: "HTTPRoute",
  plural: "httproutes",
  namespaced: true,
};

export interface BadDay {
  /** HTTP status. */
  readonly status: number;
  readonly retryAfterSeconds?: number;
}

export interface FakeServer {
  readonly client: StatusClient;
  readonly calls: string[];
  /** Answers a call: a bad day, or undefined for a normal answer; may take its time. */
  fault: (call: string, options: CallOptions) => Promise<BadDay | undefined> | BadDay | undefined;
  /** Somebody changes an object; undefined deletes it. Not observed by itself. */
  put(
    name: string,
    change: { readonly parents?: readonly StandingEntry[]; readonly generation?: number } | undefined,
  ): void;
  get(name: string): StandingObject | undefined;
}

/** HTTPRoutes of the namespace `ns`. */
export function createFakeServer(): FakeServer {
  const objects = new Map<string, StandingObject>();
  let revision = 0;
  const server: FakeServer = {
    calls: [],
    fault: () => undefined,
    get: (name) => objects.get(name),
    put(name, change) {
      if (change === undefined) {
        objects.delete(name);
        return;
      }
      const before = objects.get(name);
      objects.set(name, {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: {
          name,
          namespace: "ns",
          uid: before?.metadata.uid ?? `uid-${++revision}`,
          resourceVersion: String(++revision),
          generation: change.generation ?? before?.metadata.generation ?? 1,
        },
        ...(change.parents !== undefined && { status: { parents: change.parents } }),
      });
    },
    client: {
      get: (_type, { name }, options) => answer(`get ${name}`, options, name, () => objects.get(name)),
      replaceStatus: (_type, object, options) =>
        answer(`replace ${object.metadata.name}`, options, object.metadata.name, () => {
          const standing = objects.get(object.metadata.name) as StandingObject;
          if (standing.metadata.resourceVersion !== object.metadata.resourceVersion) return { status: 409 };
          const { status } = object as StandingObject;
          const metadata = { ...standing.metadata, resourceVersion: String(++revision) };
          objects.set(metadata.name, { ...standing, metadata, status });
          return objects.get(metadata.name);
        }),
      applyStatus: () => Promise.reject(new Error("no kind of this server is applied")),
    },
  };

  async function answer<T extends KubeObject>(
    call: string,
    options: CallOptions = {},
    name: string,
    act: () => StandingObject | BadDay | undefined,
  ): Promise<Answer<T>> {
    server.calls.push(call);
    const bad = await server.fault(call, options);
    const result = bad ?? (objects.has(name) ? act() : { status: 404 });
    if (result !== undefined && "metadata" in result) return { ok: true, value: result as unknown as T };
    const { status, retryAfterSeconds } = result as BadDay;
    const body = { kind: "Status", message: "as the test says", details: { retryAfterSeconds } };
    return { ok: false, error: errorOfStatus(call, status, body) };
  }
  return server;
}

export interface Bench {
  readonly writer: StatusWriter;
  readonly server: FakeServer;
  /** What each route's status should say; absent: nothing of ours. */
  readonly desired: Map<string, string>;
  readonly logged: string[];
  /** The watch tells the writer of an object as it is. */
  observe(name: string): void;
  change(name: string, message: string | undefined): void;
  /** Messages of our entries as they stand. */
  standing(name: string): string[];
  /** Resolves when nothing waits and nothing is under way. */
  settled(): Promise<void>;
}

export function createBench(options: Partial<StatusWriterOptions> = {}): Bench {
  const server = createFakeServer();
  const desired = new Map<string, string>();
  const logged: string[] = [];
  const log = (message: string) => void logged.push(message);
  const logger: Logger = { error: log, warn: log, info: log, debug: log, with: () => logger };
  const writer = createStatusWriter({
    client: server.client,
    controllerNames: [OURS],
    typeOf: () => routeType,
    render(key) {
      const message = desired.get(key.slice("HTTPRoute/ns/".length));
      return message === undefined ? undefined : { parents: [entry(OURS, message)] };
    },
    log: logger,
    ...options,
    limits: { repair: { first: 20, max: 20 }, rest: { first: 1, max: 1 }, ...options.limits },
  });
  const keyOf = (name: string) => `HTTPRoute/ns/${name}`;
  return {
    writer,
    server,
    desired,
    logged,
    observe: (name) => writer.observe(keyOf(name), server.get(name)),
    change(name, message) {
      if (message === undefined) desired.delete(name);
      else desired.set(name, message);
      writer.changed([keyOf(name)]);
    },
    standing(name) {
      const { parents = [] } = (server.get(name)?.status ?? {}) as { parents?: readonly StandingEntry[] };
      return parents
        .filter(({ controllerName }) => controllerName === OURS)
        .map(({ conditions }) => String(conditions?.[0]?.message));
    },
    async settled() {
      for (;;) {
        const { waiting, postponed, inFlight } = writer.figures();
        if (inFlight + postponed + Object.values(waiting).reduce((sum, depth) => sum + depth, 0) === 0) return;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
  };
}

export function entry(controllerName: string, message: string): StandingEntry & { conditions: DesiredCondition[] } {
  return {
    parentRef: { name: "gateway" },
    controllerName,
    conditions: [{ type: "Accepted", status: "True", reason: "Accepted", message }],
  } as never;
}
