import { validateObject } from "../../src/api/kinds.ts";
import { objectKey } from "../../src/base/keys.ts";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { createControlPlane } from "../../src/cli/control-plane.ts";
import { createKubeClient, type KubeClient } from "../../src/kube/client.ts";
import { loadKubeConfig } from "../../src/kube/credentials.ts";
import type { ResourceType } from "../../src/kube/resource-type.ts";
import { createStatusWriter, type StatusWriter, type StatusWriterOptions } from "../../src/status/writer.ts";
import type { Access, Rest } from "../cluster/rest.ts";
import { createRest } from "../cluster/rest.ts";
import { pause, waitFor } from "../harness/waiting.ts";

export const OURS = "gatehouse.dev/gateway-controller";
export const OTHER = "example.com/other-controller";
export const GATEWAY_API = "gateway.networking.k8s.io";

function typeOfKind(group: string, version: string, kind: string, plural: string, namespaced = true): ResourceType {
  return { group, version, kind, plural, namespaced };
}

const types: readonly (readonly [collection: string, type: ResourceType])[] = [
  ["gatewayClasses", typeOfKind(GATEWAY_API, "v1", "GatewayClass", "gatewayclasses", false)],
  ["gateways", typeOfKind(GATEWAY_API, "v1", "Gateway", "gateways")],
  ["listenerSets", typeOfKind(GATEWAY_API, "v1", "ListenerSet", "listenersets")],
  ["httpRoutes", typeOfKind(GATEWAY_API, "v1", "HTTPRoute", "httproutes")],
  ["grpcRoutes", typeOfKind(GATEWAY_API, "v1", "GRPCRoute", "grpcroutes")],
  ["backendTlsPolicies", typeOfKind(GATEWAY_API, "v1", "BackendTLSPolicy", "backendtlspolicies")],
  ["envoyProxies", typeOfKind("gateway.envoyproxy.io", "v1alpha1", "EnvoyProxy", "envoyproxies")],
  ["backends", typeOfKind("gateway.envoyproxy.io", "v1alpha1", "Backend", "backends")],
];

export interface Meta {
  readonly name: string;
  readonly namespace?: string;
  readonly resourceVersion: string;
  readonly generation?: number;
}

export interface Stored {
  readonly kind: string;
  readonly metadata: Meta;
  readonly spec: Record<string, unknown>;
  readonly status?: Record<string, unknown>;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

export interface Parent {
  readonly parentRef: Record<string, unknown>;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

export interface Ancestor {
  readonly ancestorRef: Record<string, unknown>;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

export const ancestorsOf = (object: Stored): readonly Ancestor[] => (object.status?.["ancestors"] ?? []) as Ancestor[];

export const parentsOf = (object: Stored): readonly Parent[] => (object.status?.["parents"] ?? []) as Parent[];

export function pathOf(kind: string, name?: string, subresource?: "status", namespace = "default"): string {
  const type = types.find(([, candidate]) => candidate.kind === kind)?.[1] as ResourceType;
  const place = type.namespaced ? `namespaces/${namespace}/` : "";
  const rest = [type.plural, name, subresource].filter((part) => part !== undefined).join("/");
  return `/apis/${type.group}/${type.version}/${place}${rest}`;
}

/** A Gatehouse without Envoys and elections: what it watches, computes and writes to an API server. */
export interface Instance {
  readonly writer: StatusWriter;
  /** Every write of ours has come back through the watch and nothing is left to do. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export interface InstanceOptions {
  readonly kubeconfigPath: string;
  readonly access: Access;
  readonly controllerNames?: readonly string[];
  readonly limits?: StatusWriterOptions["limits"];
  readonly log?: Logger;
  readonly onWritten?: StatusWriterOptions["onWritten"];
  /** False: watches only, as a replica that does not lead. */
  readonly leads?: boolean;
}

export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const config = loadKubeConfig(options.kubeconfigPath);
  const client: KubeClient = createKubeClient({ config });
  const rest = createRest(options.access);
  const ending = new AbortController();
  const controllerNames = options.controllerNames ?? [OURS];
  const control = createControlPlane({
    settings: { controllerNames, hostInfrastructure: false, privilegedPortOffset: 0 },
    log: silentLogger,
    onInfrastructure() {},
    onStatuses: (keys) => writer.changed(keys),
  });
  const writer = createStatusWriter({
    client,
    controllerNames,
    typeOf: (kind) => types.find(([, type]) => type.kind === kind)?.[1],
    render: (key) => control.status(key),
    log: options.log ?? silentLogger,
    ...(options.limits && { limits: options.limits }),
    ...(options.onWritten && { onWritten: options.onWritten }),
  });
  let events = 0;
  const stage = (collection: string, kind: string, object: Stored, deleted: boolean) => {
    events++;
    const key = objectKey(object.metadata.namespace, object.metadata.name);
    writer.observe(`${kind}/${key}`, deleted ? undefined : object);
    const read = deleted ? undefined : validateObject(withoutVersion(object)).object;
    control.pipeline.stage({ [collection]: new Map([[key, read]]) });
    control.pipeline.notify();
  };
  const follows = types.map(([collection, type]) => follow(rest, collection, type, stage, ending.signal));
  await Promise.all(follows.map(({ listed }) => listed));
  control.pipeline.markSynced();
  control.pipeline.notify();
  await control.pipeline.idle();
  if (options.leads !== false) writer.start();
  return {
    writer,
    async settled() {
      await waitFor("the writer to settle", async () => {
        const before = events;
        await control.pipeline.idle();
        const quiet = isQuiet(writer);
        await pause(100);
        return quiet && isQuiet(writer) && events === before;
      });
    },
    async stop() {
      ending.abort();
      control.pipeline.stop();
      await writer.stop();
      await Promise.allSettled(follows.map(({ ended }) => ended));
      rest.close();
      await client.close();
    },
  };
}

function isQuiet(writer: StatusWriter): boolean {
  const { waiting, postponed, inFlight } = writer.figures();
  return inFlight + postponed + Object.values(waiting).reduce((sum, depth) => sum + depth, 0) === 0;
}

/** Sources hold objects without their version, so that a write of a status alone is no change. */
function withoutVersion(object: Stored): object {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** A list and a watch, begun anew when the server goes away. The product's own is tested in test/kube. */
function follow(
  rest: Rest,
  collection: string,
  type: ResourceType,
  stage: (collection: string, kind: string, object: Stored, deleted: boolean) => void,
  signal: AbortSignal,
): { readonly listed: Promise<void>; readonly ended: Promise<void> } {
  const path = `/apis/${type.group}/${type.version}/${type.plural}`;
  const first = Promise.withResolvers<void>();
  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        const list = await rest.json<{ metadata: Meta; items: Stored[] }>(path);
        for (const item of list.items) stage(collection, type.kind, item, false);
        first.resolve();
        const query = `?watch=1&resourceVersion=${list.metadata.resourceVersion}`;
        await rest.lines(
          `${path}${query}`,
          (line) => {
            const event = JSON.parse(line) as { type: string; object: Stored };
            if (event.type !== "ERROR") stage(collection, type.kind, event.object, event.type === "DELETED");
          },
          signal,
        );
      } catch {
        await pause(100);
      }
    }
  }
  return { listed: first.promise, ended: run() };
}
