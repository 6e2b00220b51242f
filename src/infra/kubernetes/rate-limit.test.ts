import { expect, test } from "@jest/globals";
import type { IDeployment } from "kubernetes-models/apps/v1";
import type { KubeObject } from "../../kube/resource-type.ts";
import { isRateLimitObject, type RateLimitWorkload, rateLimitObjects, renderRateLimit } from "./rate-limit.ts";
import { startRateLimitUpkeep } from "./rate-limit-upkeep.ts";

const workload: RateLimitWorkload = {
  namespace: "system",
  image: "ratelimit:1",
  redis: { address: { url: "redis:6379" } },
  prometheus: true,
  xds: { address: "gatehouse.system.svc.cluster.local:18000", serverName: "gatehouse.system.svc" },
  certificates: { client: "client", server: "server" },
};

const deploymentOf = (changes: Partial<RateLimitWorkload>) =>
  renderRateLimit({ ...workload, ...changes }, "soon").find(({ kind }) => kind === "Deployment") as IDeployment;
const podOf = (changes: Partial<RateLimitWorkload>) => deploymentOf(changes).spec?.template;
function environmentOf(changes: Partial<RateLimitWorkload>) {
  const variables = podOf(changes)?.spec?.containers[0]?.env ?? [];
  return Object.fromEntries(variables.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]));
}

test("the service is told of its Redis, by address or by Secret, with and without TLS", () => {
  expect(environmentOf({})).toMatchObject({
    REDIS_URL: "redis:6379",
    REDIS_SOCKET_TYPE: "tcp",
    USE_PROMETHEUS: "true",
  });
  expect(environmentOf({})).not.toHaveProperty("REDIS_TLS");
  const address = { secretName: "redis", key: "url" };
  const secured = { redis: { address, tls: { certificateSecret: "pair" } }, prometheus: false };
  expect(environmentOf(secured)).toMatchObject({
    REDIS_URL: { secretKeyRef: { name: "redis", key: "url" } },
    REDIS_TLS: "true",
    REDIS_TLS_CLIENT_CERT: "/certs/redis/tls.crt",
    DISABLE_STATS: "true",
  });
  expect(podOf(secured)?.spec?.volumes?.map(({ name }) => name)).toEqual(["client", "server", "redis"]);
  expect(environmentOf({ redis: { address, tls: {} } })).not.toHaveProperty("REDIS_TLS_CLIENT_CERT");
});

test("it knows the control plane and Envoys by certificates, and has no privileges", () => {
  expect(environmentOf({})).toMatchObject({
    CONFIG_TYPE: "GRPC_XDS_SOTW",
    CONFIG_GRPC_XDS_SERVER_URL: workload.xds.address,
    CONFIG_GRPC_XDS_SERVER_TLS_SAN: workload.xds.serverName,
    CONFIG_GRPC_XDS_CLIENT_TLS_KEY: "/certs/client/tls.key",
    GRPC_SERVER_USE_TLS: "true",
    GRPC_CLIENT_TLS_CACERT: "/certs/server/ca.crt",
  });
  expect(podOf({})?.spec?.containers[0]?.securityContext).toMatchObject({
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  expect(podOf({})?.metadata?.annotations).toMatchObject({ "gatehouse.dev/certificate-expires": "soon" });
});

test("whoever installs it says how many, and everything else by a patch", () => {
  const containers = [{ name: "ratelimit", image: "mine" }];
  const { spec, metadata } = deploymentOf({
    replicas: 3,
    patch: { value: { metadata: { name: "other" }, spec: { template: { spec: { containers } } } } },
  });
  expect(metadata?.name).toBe("envoy-ratelimit");
  expect(spec?.replicas).toBe(3);
  expect(spec?.template.spec?.containers).toMatchObject([{ image: "mine", command: ["ratelimit"] }]);
});

/** An API server with these objects, and what was asked of it. */
function apiServer(objects: readonly KubeObject[] = []) {
  const there = new Map(objects.map((object) => [object.kind, object]));
  const calls: string[] = [];
  const missing = { ok: false, error: { reason: "NotFound", message: "not found" } } as never;
  return {
    calls,
    client: {
      get: async ({ kind }: { kind: string }) => {
        const value = there.get(kind);
        return value === undefined ? missing : ({ ok: true, value } as never);
      },
      serverSideApply: async ({ kind }: { kind: string }, object: object) => {
        calls.push(`apply ${kind}`);
        return { ok: true, value: object } as never;
      },
      delete: async ({ kind }: { kind: string }) => {
        calls.push(`delete ${kind}`);
        return { ok: true, value: "deleted" } as never;
      },
    },
  };
}

const log = { warn() {}, info() {}, debug() {}, error() {} } as never;

async function lookOnce(server: ReturnType<typeof apiServer>, wanted: RateLimitWorkload | undefined, expires?: number) {
  const upkeep = startRateLimitUpkeep({
    client: server.client,
    namespace: "system",
    workload: wanted,
    certificateExpires: () => expires,
    log,
  });
  await new Promise((resolve) => setImmediate(resolve));
  await upkeep.stop();
  return server.calls;
}

test("pods wait for certificates, and objects of ours go when nobody wants them, those of others never", async () => {
  expect(await lookOnce(apiServer(), workload)).toEqual(["apply ServiceAccount", "apply Service"]);
  expect(await lookOnce(apiServer(), workload, 1)).toEqual([
    "apply ServiceAccount",
    "apply Service",
    "apply Deployment",
  ]);
  const ours = rateLimitObjects("system");
  expect(ours.every(isRateLimitObject)).toBe(true);
  expect(await lookOnce(apiServer(ours), undefined)).toEqual([
    "delete Deployment",
    "delete Service",
    "delete ServiceAccount",
  ]);
  const theirs = ours.map((object) => ({ ...object, metadata: { ...object.metadata, labels: {} } }));
  expect(await lookOnce(apiServer(theirs), undefined)).toEqual([]);
});
