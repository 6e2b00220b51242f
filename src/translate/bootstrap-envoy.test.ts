import { describe, expect, test } from "@jest/globals";
import type { XdsAddress } from "../envoy/control-plane.ts";
import { type BootstrapOptions, buildBootstrap } from "./bootstrap.ts";
import { type BootstrapOverride, overrideBootstrap } from "./bootstrap-override.ts";
import { validateBootstrap, withEnvoy } from "./envoy.test-support.ts";

const options: BootstrapOptions = {
  node: { id: "default/eg@host", cluster: "default/eg" },
  xds: { address: { unixPath: "/run/xds.sock" } },
  admin: { unixPath: "/run/admin.sock" },
};

const inCluster: BootstrapOptions = {
  xds: {
    address: { host: "gatehouse.gatehouse-system.svc.cluster.local", port: 18000 },
    tls: { serverName: "gatehouse", sdsFolder: "/sds", certificateFolder: "/certs", tokenFolder: "/token" },
  },
  admin: { unixPath: "/envoy-admin/admin.sock", mode: 0o666 },
  pod: { address: "0.0.0.0", readyPort: 19003, statsPort: 19001 },
  memoryBytes: 1000,
};

test("the node names the gateway and all configuration comes over one delta ADS stream", () => {
  expect(buildBootstrap(options)).toMatchObject({
    node: { id: "default/eg@host", cluster: "default/eg" },
    admin: { address: { pipe: { path: "/run/admin.sock" } } },
    dynamic_resources: {
      ads_config: { api_type: "DELTA_GRPC", transport_api_version: "V3" },
      cds_config: { ads: {}, initial_fetch_timeout: "0s" },
      lds_config: { ads: {}, initial_fetch_timeout: "0s" },
    },
    deferred_stat_options: { enable_deferred_creation_stats: true },
  });
});

const addresses: [XdsAddress, string, object][] = [
  [{ unixPath: "/run/xds.sock" }, "STATIC", { pipe: { path: "/run/xds.sock" } }],
  [{ host: "10.0.0.1", port: 18000 }, "STATIC", { socket_address: { address: "10.0.0.1", port_value: 18000 } }],
  [{ host: "::1", port: 18000 }, "STATIC", { socket_address: { address: "::1", port_value: 18000 } }],
  [{ host: "xds.local", port: 1 }, "STRICT_DNS", { socket_address: { address: "xds.local", port_value: 1 } }],
];

test.each(addresses)("reaches the control plane at %j", (address, type, expected) => {
  expect(buildBootstrap({ ...options, xds: { address } })).toMatchObject({
    static_resources: {
      clusters: [{ type, load_assignment: { endpoints: [{ lb_endpoints: [{ endpoint: { address: expected } }] }] } }],
    },
  });
});

test("a memory limit makes Envoy shed load before it is reached", () => {
  expect(buildBootstrap(inCluster)["overload_manager"]).toMatchObject({
    resource_monitors: [{}, { typed_config: { max_heap_size_bytes: 800 } }],
    actions: [
      { name: "envoy.overload_actions.shrink_heap", triggers: [{ threshold: { value: 0.95 } }] },
      { name: "envoy.overload_actions.stop_accepting_requests", triggers: [{ threshold: { value: 0.98 } }] },
    ],
  });
});

describe("overrides", () => {
  const base = buildBootstrap(inCluster);
  const change = (override: BootstrapOverride) => overrideBootstrap(base, override);

  test("Merge joins lists and replaces scalars, as protobuf does", () => {
    const value =
      "stats_flush_interval: 3s\nstatic_resources: {clusters: [{name: mine}]}\nadmin: {ignore_global_conn_limit: true}";
    const result = change({ type: "Merge", value });
    expect(result).toMatchObject({
      bootstrap: {
        stats_flush_interval: "3s",
        admin: { ignore_global_conn_limit: true, address: {} },
        static_resources: { clusters: [{ name: "xds_cluster" }, { name: "prometheus_stats" }, { name: "mine" }] },
      },
    });
  });

  test("JSONPatch changes single places, also those that a JSONPath finds", () => {
    const result = change({
      type: "JSONPatch",
      jsonPatches: [
        { op: "add", path: "/stats_flush_interval", value: "3s" as unknown as Record<string, unknown> },
        { op: "remove", jsonPath: "$.static_resources.listeners[*]", path: "" },
      ],
    });
    expect(result).toMatchObject({ bootstrap: { stats_flush_interval: "3s", static_resources: { listeners: [] } } });
  });

  test("Replace takes what is written, as long as it reaches the control plane the same way", () => {
    const { overload_manager: _, ...rest } = base;
    expect(change({ type: "Replace", value: JSON.stringify(rest) })).toEqual({ bootstrap: rest });
  });

  test("the timeout of the first fetch may change", () => {
    const value =
      "dynamic_resources: {cds_config: {initial_fetch_timeout: 5s}, lds_config: {initial_fetch_timeout: 5s}}";
    expect(change({ type: "Merge", value })).toMatchObject({
      bootstrap: { dynamic_resources: { cds_config: { initial_fetch_timeout: "5s" } } },
    });
  });

  test.each<[string, BootstrapOverride, string]>([
    ["no YAML", { type: "Merge", value: "a: [" }, "is no YAML"],
    ["no object", { type: "Merge", value: "[]" }, "must be an object"],
    ["a patch that fails", { type: "JSONPatch", jsonPatches: [{ op: "remove", path: "/nothing" }] }, "fails: "],
    [
      "a JSONPath that finds nothing",
      { type: "JSONPatch", jsonPatches: [{ op: "remove", jsonPath: "$.x" }] },
      "finds nothing",
    ],
    [
      "nothing left",
      { type: "JSONPatch", jsonPatches: [{ op: "replace", path: "", value: 1 as never }] },
      "leave no object",
    ],
    [
      "other resources",
      { type: "Merge", value: "dynamic_resources: {ads_config: {api_type: GRPC}}" },
      "changes dynamic_resources",
    ],
    ["no resources", { type: "Replace", value: "admin: {}" }, "changes dynamic_resources"],
    [
      "a source more",
      { type: "Merge", value: "dynamic_resources: {cds_config: {path: /a}}" },
      "changes dynamic_resources",
    ],
    [
      "a port for the admin interface",
      { type: "Merge", value: "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 19000}}}" },
      'leave it {"pipe":{"path":"/envoy-admin/admin.sock","mode":438}}',
    ],
    [
      "no admin interface",
      { type: "JSONPatch", jsonPatches: [{ op: "remove", path: "/admin" }] },
      "changes admin.address",
    ],
    [
      "another endpoint",
      {
        type: "JSONPatch",
        jsonPatches: [
          { op: "replace", path: "/static_resources/clusters/0/load_assignment/endpoints", value: [] as never },
        ],
      },
      "changes the endpoints of xds_cluster",
    ],
    [
      "a second cluster of the name",
      { type: "Merge", value: "static_resources: {clusters: [{name: xds_cluster}]}" },
      "changes the endpoints",
    ],
    [
      "the other spelling",
      { type: "Merge", value: "dynamicResources: {}" },
      "writes dynamicResources; write names of fields with underscores",
    ],
  ])("%s is refused", (_, override, text) => {
    expect(change(override)).toMatchObject({
      field: expect.stringMatching(/^spec[.]bootstrap/),
      text: expect.stringContaining(text),
    });
  });

  test("leave the base alone", () => {
    const before = structuredClone(base);
    change({ type: "Merge", value: "static_resources: {clusters: [{name: mine}]}" });
    expect(base).toEqual(before);
  });
});

withEnvoy(
  "the real Envoy accepts it",
  async () => {
    const variants: BootstrapOptions[] = [
      ...addresses.map(([address]) => ({ ...options, xds: { address } })),
      { ...inCluster, node: options.node! },
      {
        ...inCluster,
        node: options.node!,
        xds: { ...inCluster.xds, tls: { ...inCluster.xds.tls!, tokenFolder: undefined } },
      },
      { ...inCluster, node: options.node!, pod: { ...inCluster.pod!, address: "::" } },
      {
        ...inCluster,
        node: options.node!,
        metricSinks: [
          {
            endpoints: [{ host: "collector.ns.svc", port: 4317 }],
            authority: "collector.ns:4317",
            settings: {
              headers: [{ name: "X-Key", value: "v" }],
              reportCountersAsDeltas: true,
              reportHistogramsAsDeltas: true,
              resourceAttributes: { a: "b" },
            },
          },
          { endpoints: [{ unixPath: "/run/collector.sock" }], authority: "local", settings: {} },
          ...(["IPv4", "IPv6", "DualStack"] as const).map((family) => ({
            endpoints: [{ host: "collector.example.com", port: 4317 }],
            authority: "collector.example.com:4317",
            family,
            settings: {},
          })),
        ],
      },
      ...(["Gzip", "Brotli", "Zstd"] as const).map((type) => ({
        ...inCluster,
        node: options.node!,
        metrics: {
          prometheus: { compression: { type, minContentLength: "1Ki" } },
          matches: (["Exact", "Prefix", "Suffix", "RegularExpression"] as const).map((each) => ({
            type: each,
            value: "a.b",
          })),
        },
      })),
    ];
    for (const variant of variants) {
      const output = await validateBootstrap(buildBootstrap(variant));
      expect(output).toContain("OK");
      expect(output).not.toContain("deprecated");
    }
  },
  60_000,
);
