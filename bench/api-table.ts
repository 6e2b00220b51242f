import { fileURLToPath } from "node:url";
import { type ApiServer, startApiServer } from "../test/cluster/control-plane.ts";
import { installCrds } from "../test/kube/gateway-api.ts";
import { FIRST_REVISION, gatewayObjects, type PlainObject, routeObjects, type TableOptions } from "./table.ts";

/** Namespace of the operator. */
export const SYSTEM = "gatehouse-system";
const FIELD_MANAGER = "bench";
/** Objects that are created at a time. */
const CREATORS = 16;
const staticBackendCrd = fileURLToPath(new URL("../config/compat", import.meta.url));

const plurals: Readonly<Record<string, string>> = {
  Backend: "backends",
  BackendTrafficPolicy: "backendtrafficpolicies",
  Deployment: "deployments",
  EndpointSlice: "endpointslices",
  EnvoyProxy: "envoyproxies",
  Gateway: "gateways",
  GatewayClass: "gatewayclasses",
  HTTPRoute: "httproutes",
  ListenerSet: "listenersets",
  Namespace: "namespaces",
  Secret: "secrets",
  Service: "services",
  TLSRoute: "tlsroutes",
};

/** An API server on etcd, alone: no node and no controller that would take part of the machine. */
export interface ApiTable {
  readonly server: ApiServer;
  /** `kubectl apply --server-side`: creates or changes. Resolves with what the server then has. */
  apply(object: PlainObject): Promise<StoredObject>;
  get(object: PlainObject): Promise<StoredObject>;
  remove(object: PlainObject): Promise<void>;
  /** Creates the objects, many at a time. */
  create(objects: readonly PlainObject[]): Promise<void>;
  stop(): Promise<void>;
}

export interface StoredObject extends PlainObject {
  readonly metadata: PlainObject["metadata"] & { readonly generation: number; readonly resourceVersion: string };
  readonly status?: unknown;
}

/** Starts the server and installs the CRDs; there is no object yet. */
export async function startApiTable(): Promise<ApiTable> {
  const server = await startApiServer();
  const { rest } = server;
  try {
    await server.kubectl(["apply", "--server-side", "-k", staticBackendCrd]);
    await installCrds(server);
    await server.kubectl(["create", "namespace", SYSTEM]);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    server,
    apply: (object) =>
      rest.json(`${objectPath(object)}?fieldManager=${FIELD_MANAGER}&force=true`, {
        method: "PATCH",
        contentType: "application/apply-patch+yaml",
        body: object,
      }),
    get: (object) => rest.json(objectPath(object)),
    remove: (object) => rest.json(objectPath(object), { method: "DELETE" }),
    async create(objects) {
      let next = 0;
      const creator = async () => {
        for (let object = objects[next++]; object !== undefined; object = objects[next++]) {
          await rest.json(collectionPath(object), { method: "POST", body: object });
        }
      };
      await Promise.all(Array.from({ length: CREATORS }, creator));
    },
    stop: () => server.stop(),
  };
}

/** The Gateway and its class, and so many routes with a Backend each. */
export function tableObjects(table: TableOptions, routes: number): PlainObject[] {
  const objects = gatewayObjects(table);
  for (let i = 0; i < routes; i++) objects.push(...routeObjects(table, i, { revision: FIRST_REVISION }));
  return objects;
}

export function collectionPath({ apiVersion, kind, metadata: { namespace } }: PlainObject): string {
  const root = apiVersion === "v1" ? "/api" : "/apis";
  return `${root}/${apiVersion}/${namespace === undefined ? "" : `namespaces/${namespace}/`}${plurals[kind]}`;
}

export function objectPath(object: PlainObject): string {
  return `${collectionPath(object)}/${object.metadata.name}`;
}
