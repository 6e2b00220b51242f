import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import type { Secret } from "../api/core.ts";
import { adaptCluster } from "../attach/adapt-route.ts";
import { buildClusterSpec, type ClusterSettings, secretsOf } from "../attach/cluster-spec.ts";
import type { ConnectionSettings } from "../attach/connection-settings.ts";
import { authority, ed25519Pair, webPair } from "../attach/key-pairs.test-support.ts";
import type { ClusterReach, ClusterSpec, UpstreamTls } from "../attach/model.ts";
import { cipherSuites, ecdhCurves, signatureAlgorithms } from "../attach/tls-vocabulary.ts";
import { pack } from "../envoy/any.ts";
import { Bootstrap } from "../envoy/generated/envoy/config/bootstrap/v3/bootstrap.ts";
import { Cluster } from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import { ApiConfigSource_ApiType, ApiVersion } from "../envoy/generated/envoy/config/core/v3/config_source.ts";
import { Secret as EnvoySecret } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { UpstreamTlsContext } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { HttpProtocolOptions } from "../envoy/generated/envoy/extensions/upstreams/http/v3/http_protocol_options.ts";
import type { EncodedResource } from "../envoy/resource.ts";
import { translateCluster } from "./cluster.ts";
import { translateSecret } from "./secret.ts";

/** The real Envoy judges what is generated; skipped where there is none. */
const envoyPath = [
  process.env["ENVOY_PATH"],
  ...(process.env["PATH"] ?? "").split(delimiter).map((each) => join(each, "envoy")),
].find((path) => path !== undefined && existsSync(path));
const testWithEnvoy = envoyPath === undefined ? test.skip : test;

const secure: UpstreamTls = {
  autoSniFromEndpointHostname: false,
  insecureSkipVerify: false,
  trust: ["configmap/a/ca"],
};
const system: UpstreamTls = { ...secure, trust: "System" };
const insecure: UpstreamTls = { ...secure, trust: "None", insecureSkipVerify: true };

const service = { kind: "Service", key: "a/web", port: 80, portName: "http" } as const;
const backend = { kind: "Backend", key: "a/ip", group: "gateway.envoyproxy.io" } as const;
const resolver = { kind: "DynamicResolver", key: "a/any" } as const;
const reaches: readonly ClusterReach[] = [
  service,
  backend,
  resolver,
  {
    kind: "Dns",
    key: "a/names",
    group: "gateway.envoyproxy.io",
    endpoints: [
      { address: { host: "one.example.com", port: 443 }, hostname: "one.example.com", priority: 0 },
      { address: { host: "two.example.com", port: 443 }, hostname: "two.example.com", zone: "z", priority: 1 },
    ],
  },
  {
    kind: "Fallback",
    members: [
      { reach: service, weight: 3, priority: 0 },
      { reach: backend, weight: 1, priority: 1 },
    ],
  },
  {
    kind: "DnsFallback",
    members: ["one.example.com", "two.example.com"].map((host, priority) => {
      const endpoints = [{ address: { host, port: 443 }, priority: 0 }];
      return {
        reach: { kind: "Dns", key: `a/${priority}`, group: "gateway.envoyproxy.io", endpoints },
        weight: 2,
        priority,
      };
    }),
  },
];
/** What an EnvoyProxy may add. */
const ofGateways: readonly ClusterSettings[] = [
  ...(["IPv4", "IPv6", "DualStack"] as const).map((family) => ({ protocol: "http1" as const, family })),
  { protocol: "http1", stats: { perEndpoint: true, sizes: true, name: "a/b:c|d" } },
];

/** What policies may add. */
const ofPolicies: readonly ConnectionSettings[] = [
  { loadBalancer: { type: "RoundRobin", slowStart: { window: "10s" } } },
  { loadBalancer: { type: "LeastRequest", slowStart: { window: "10s" } } },
  { loadBalancer: { type: "Random", endpointOverride: { extractFrom: [{ header: "x-host" }] } } },
  { loadBalancer: { type: "ConsistentHash", consistentHash: { type: "SourceIP", tableSize: 101 } } },
  {
    loadBalancer: {
      type: "BackendUtilization",
      slowStart: { window: "10s" },
      backendUtilization: {
        blackoutPeriod: "1s",
        weightExpirationPeriod: "1m",
        weightUpdatePeriod: "1s",
        errorUtilizationPenaltyPercent: 150,
        metricNamesForComputingUtilization: ["named_metrics.foo"],
        outOfBand: { port: 9_000, authority: "load.test", reportingPeriod: "1s" },
      },
    },
  },
  {
    loadBalancer: {
      type: "RoundRobin",
      zoneAware: {
        weightedZones: [
          { zone: "z", weight: 0 },
          { zone: "y", weight: 1_000_000 },
        ],
      },
    },
  },
  { connection: { bufferLimit: "64Ki", socketBufferLimit: "128Ki", preconnect: { perEndpointPercent: 150 } } },
  {
    loadBalancer: { type: "RoundRobin" },
    connection: { preconnect: { predictivePercent: 120 } },
  },
  { proxyProtocol: { version: "V1" } },
  { proxyProtocol: { version: "V2" }, useClientProtocol: true },
  {
    useClientProtocol: true,
    http2: {
      onInvalidMessage: "TerminateStream",
      connectionKeepalive: { interval: "3s", intervalJitter: 10, idleInterval: "1m" },
      initialStreamWindowSize: "128Ki",
    },
  },
  {
    circuitBreaker: {
      maxConnections: 0,
      maxPendingRequests: 4294967295,
      maxRequestsPerConnection: 5,
      perEndpoint: { maxConnections: 3 },
      retryBudget: { percent: { numerator: 1, denominator: 3 }, minRetryConcurrency: 2 },
    },
    dns: { dnsRefreshRate: "1s", lookupFamily: "IPv6Preferred", respectDnsTtl: false },
    tcpKeepalive: { probes: 3, idleTime: "20m", interval: "1500ms" },
    timeout: { tcp: { connectTimeout: "1s" }, http: { connectionIdleTimeout: "1m", maxConnectionDuration: "1h" } },
  },
  {
    healthCheck: {
      panicThreshold: 0,
      active: {
        type: "HTTP",
        interval: "3s",
        timeout: "1s",
        initialJitter: "1s",
        http: {
          path: "/health",
          method: "post",
          hostname: "a.test",
          expectedStatuses: [200, 204],
          retriableStatuses: [503],
          requestBody: { type: "Text", text: "are you well?" },
          expectedResponse: { type: "Binary", binary: "eWVz" },
        },
        overrides: { port: 9000 },
        healthCheckLog: { matches: ["Failure", "Success"], sinks: [{ type: "File", file: { path: "/dev/null" } }] },
      },
      passive: {
        consecutive5XxErrors: 5,
        consecutiveGatewayErrors: 0,
        consecutiveLocalOriginFailures: 5,
        splitExternalLocalOriginErrors: true,
        interval: "3s",
        baseEjectionTime: "30s",
        maxEjectionPercent: 10,
        alwaysEjectOneEndpoint: true,
        failurePercentageThreshold: 50,
      },
    },
  },
  { healthCheck: { active: { type: "TCP", tcp: { send: { type: "Text", text: "a" } } } } },
  { healthCheck: { active: { type: "GRPC", grpc: { service: "s" } } } },
];

const credential = { secret: "a/token", header: "Authorization", overwrite: true };

const tlsVariants: readonly (UpstreamTls | undefined)[] = [
  undefined,
  secure,
  system,
  insecure,
  { ...secure, sni: "web.example.com", clientCertificate: "a/client" },
  { ...system, sni: "web.example.com" },
  { ...insecure, sni: "web.example.com" },
  { ...secure, autoSniFromEndpointHostname: true },
  { ...insecure, autoSniFromEndpointHostname: true },
  { ...secure, trust: ["configmap/a/ca", "secret/a/ca"], minVersion: "1.0", maxVersion: "1.2" },
  {
    // Envoy looks at parameters only once all secrets have arrived, so this one needs none.
    ...system,
    minVersion: "1.2",
    ciphers: [...cipherSuites, "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]"],
    ecdhCurves: [...ecdhCurves].filter((curve) => !/^(x25519|prime|secp)/.test(curve)),
    signatureAlgorithms: [...signatureAlgorithms],
    alpnProtocols: ["h2", "http/1.1"],
  },
];

function allSpecs(): ClusterSpec[] {
  return reaches.flatMap((reach) =>
    tlsVariants.flatMap((tls): ClusterSpec[] => {
      if (reach.kind === "DynamicResolver" && tls?.autoSniFromEndpointHostname) return [];
      const settings: ClusterSettings[] = [
        { protocol: "http1", ...(tls && { tls }) },
        { protocol: "http2", ...(tls && { tls }) },
        { protocol: "http2", ...(tls && { tls }), credential },
        ...(tls === undefined ? ofGateways : []),
        ...(tls === undefined || tls === system ? settingsOfPolicies(reach, tls) : []),
      ];
      const specs = settings.map((each) => buildClusterSpec(reach, each));
      // Envoy 1.40 crashes in `--mode validate` on such a cluster with secrets by ADS; a running one serves them.
      return specs.filter((spec) => reach.kind !== "DynamicResolver" || secretsOf(spec).length === 0);
    }),
  );
}

/** Without what means nothing to a backend (`adaptCluster`). */
function settingsOfPolicies(reach: ClusterReach, tls: UpstreamTls | undefined): ClusterSettings[] {
  const checksHealth = ({ healthCheck }: ConnectionSettings) => healthCheck?.active?.type === "GRPC";
  return ofPolicies.flatMap((traffic): ClusterSettings[] => {
    // Envoy checks by gRPC over HTTP/2 only.
    const protocol = checksHealth(traffic) ? "http2" : "http1";
    const spec = buildClusterSpec(reach, { protocol, ...(tls && { tls }) });
    const { connection } = adaptCluster(spec, undefined, undefined, traffic);
    return connection === undefined ? [] : [{ protocol, ...(tls && { tls }), connection }];
  });
}

function decode<T>(type: { decode(bytes: Uint8Array): T }, resource: EncodedResource): T {
  return type.decode(Buffer.concat(resource.chunks));
}

/** Runs Envoy on static resources; returns what it complains about. */
function validate(clusters: readonly Cluster[], secrets: readonly EnvoySecret[] = []): string {
  const http2 = pack(HttpProtocolOptions, { explicitHttpConfig: { http2ProtocolOptions: {} } });
  const options = { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 };
  const bootstrap: Bootstrap = {
    node: { id: "test", cluster: "test" },
    dynamicResources: {
      adsConfig: {
        apiType: ApiConfigSource_ApiType.DELTA_GRPC,
        transportApiVersion: ApiVersion.V3,
        grpcServices: [{ envoyGrpc: { clusterName: "xds" } }],
      },
    },
    staticResources: {
      clusters: [{ name: "xds", typedExtensionProtocolOptions: options }, ...clusters],
      secrets: [...secrets],
    },
  };
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-validate-"));
  try {
    const file = join(folder, "bootstrap.pb");
    writeFileSync(file, Bootstrap.encode(bootstrap).finish());
    const flags = ["--mode", "validate", "-c", file, "-l", "warning"];
    const run = spawnSync(envoyPath ?? "envoy", flags, { encoding: "utf8" });
    return run.status === 0 ? "" : run.stderr || `ended with ${run.signal ?? run.status}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("Envoy", () => {
  testWithEnvoy("takes every kind of cluster", () => {
    const specs = allSpecs();
    expect(new Set(specs.map(({ name }) => name)).size).toBe(specs.length);
    expect(validate(specs.map((spec) => decode(Cluster, translateCluster(spec))))).toBe("");
  });

  testWithEnvoy("says so when a cluster is wrong, so that the test above means something", () => {
    const spec = buildClusterSpec(service, { protocol: "http1", tls: { ...system, ciphers: ["NONSENSE"] } });
    expect(validate([decode(Cluster, translateCluster(spec))])).toContain("NONSENSE");
  });

  testWithEnvoy.each([webPair, ed25519Pair])("takes every kind of secret", ({ certificate, key }) => {
    const object: Secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "x", namespace: "a" },
      type: "kubernetes.io/tls",
      stringData: { "tls.crt": certificate, "tls.key": key, "ca.crt": authority },
    };
    const tls = { ...secure, clientCertificate: "a/client" };
    const secrets = secretsOf(buildClusterSpec(backend, { protocol: "http1", tls })).flatMap((use) => {
      const resource = translateSecret(use, object);
      return resource === undefined ? [] : [decode(EnvoySecret, resource)];
    });
    const context: UpstreamTlsContext = {
      commonTlsContext: {
        tlsCertificateSdsSecretConfigs: [{ name: "a/client" }],
        validationContextSdsSecretConfig: { name: "configmap/a/ca/ca.crt" },
      },
    };
    const socket = { name: "envoy.transport_sockets.tls", typedConfig: pack(UpstreamTlsContext, context) };
    expect(validate([{ name: "secrets", transportSocket: socket }], secrets)).toBe("");
  });
});

test("a cluster that resolves the request's host always says how to verify, or Envoy decides it", () => {
  for (const tls of tlsVariants) {
    const spec = buildClusterSpec(resolver, { protocol: "http1", ...(tls && { tls }) });
    expect(decode(Cluster, translateCluster(spec)).typedExtensionProtocolOptions).not.toEqual({});
  }
});

test("most clusters carry no options at all, since each costs Envoy memory", () => {
  const spec = buildClusterSpec(service, { protocol: "http1" });
  const resource = translateCluster(spec);
  expect(decode(Cluster, resource).typedExtensionProtocolOptions).toEqual({});
  expect(resource.dependents).toEqual([
    { type: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", name: spec.name },
  ]);
});
