import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { type BootstrapOptions, buildBootstrap, launchFingerprint, type XdsAddress } from "./bootstrap.ts";
import { locateEnvoy } from "./envoy-binary.ts";

const options: BootstrapOptions = {
  gateway: "default/eg",
  nodeId: "default/eg@host",
  xds: { unixPath: "/run/xds.sock" },
  adminPort: 0,
};

test("the node names the gateway and all configuration comes over one delta ADS stream", () => {
  expect(buildBootstrap(options)).toMatchObject({
    node: { id: "default/eg@host", cluster: "default/eg" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
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

test.each(addresses)("reaches the control plane at %j", (xds, type, address) => {
  expect(buildBootstrap({ ...options, xds })).toMatchObject({
    static_resources: {
      clusters: [{ type, load_assignment: { endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] } }],
    },
  });
});

test("the fingerprint tells launches apart and is stable for equal ones", () => {
  const of = (binary: string, concurrency: string, gateway: string) =>
    launchFingerprint(binary, ["--concurrency", concurrency], buildBootstrap({ ...options, gateway }));
  expect(of("envoy", "2", "a/b")).toBe(of("envoy", "2", "a/b"));
  expect(
    new Set([of("envoy", "2", "a/b"), of("x", "2", "a/b"), of("envoy", "1", "a/b"), of("envoy", "2", "a/c")]).size,
  ).toBe(4);
});

test("the real Envoy accepts it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bootstrap-"));
  try {
    for (const [index, [xds]] of addresses.entries()) {
      const path = join(folder, `${index}.json`);
      await writeFile(path, JSON.stringify(buildBootstrap({ ...options, xds })));
      const { stderr, stdout } = await promisify(execFile)(await locateEnvoy(), [
        ...["--mode", "validate", "--config-path", path, "--log-level", "warning", "--disable-hot-restart"],
      ]);
      expect(stdout + stderr).toContain("OK");
      expect(stdout + stderr).not.toContain("deprecated");
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);
