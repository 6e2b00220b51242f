import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { afterEach, expect, test } from "@jest/globals";
import { pack } from "../envoy/any.ts";
import { adsConfigSource } from "../envoy/constants.ts";
import {
  Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
} from "../envoy/generated/envoy/config/cluster/v3/cluster.ts";
import { ClusterLoadAssignment } from "../envoy/generated/envoy/config/endpoint/v3/endpoint.ts";
import { Listener } from "../envoy/generated/envoy/config/listener/v3/listener.ts";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import { Router } from "../envoy/generated/envoy/extensions/filters/http/router/v3/router.ts";
import { HttpConnectionManager } from "../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import type { EncodedResource } from "../envoy/resource.ts";
import { encodeResource } from "../envoy/resource.ts";
import { createResourceStore } from "./resource-store.ts";
import { createXdsServer } from "./server.ts";
import { difference, gatewayKey, world } from "./world.test-support.ts";

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const passThrough = (bytes: Buffer) => bytes;

/** A gRPC server that answers every call with its name. */
async function startEcho(name: string): Promise<number> {
  const server = new Server();
  const method = {
    path: "/echo/Say",
    requestStream: false,
    responseStream: false,
    requestSerialize: passThrough,
    requestDeserialize: passThrough,
    responseSerialize: passThrough,
    responseDeserialize: passThrough,
  };
  server.addService(
    { say: method },
    { say: (_call: unknown, answer: (e: null, b: Buffer) => void) => answer(null, Buffer.from(name)) },
  );
  cleanups.push(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/** What a gRPC client needs to reach `target`. */
function resources(target: string, ports: readonly number[], clusterName = "backends"): readonly EncodedResource[] {
  const manager: HttpConnectionManager = {
    rds: { configSource: adsConfigSource, routeConfigName: "routes" },
    httpFilters: [{ name: "router", typedConfig: pack(Router, {}) }],
  };
  const locality = { region: "here" };
  return [
    encodeResource(Listener, target, {
      name: target,
      apiListener: { apiListener: pack(HttpConnectionManager, manager) },
    }),
    encodeResource(RouteConfiguration, "routes", {
      name: "routes",
      virtualHosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "" }, route: { cluster: clusterName } }] },
      ],
    }),
    encodeResource(Cluster, clusterName, {
      name: clusterName,
      type: Cluster_DiscoveryType.EDS,
      edsClusterConfig: { edsConfig: adsConfigSource },
      lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    }),
    encodeResource(ClusterLoadAssignment, clusterName, {
      clusterName,
      endpoints: [
        {
          locality,
          loadBalancingWeight: 1,
          lbEndpoints: ports.map((portValue) => ({
            endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue } } },
          })),
        },
      ],
    }),
  ];
}

test("a gRPC client resolves a name and balances over its endpoints, and follows their changes", async () => {
  const ports = await Promise.all(["one", "two", "three"].map(startEcho));
  const store = createResourceStore();
  const server = createXdsServer({
    store,
    authorize: (_call, node) => ({ gateway: node.cluster ?? "" }),
    onAcknowledgement() {},
    onConnection() {},
  });
  const address = await server.listen("127.0.0.1:0");
  cleanups.push(() => server.close({ graceMilliseconds: 100 }));
  const first = world(...resources("shop", ports.slice(0, 2)));
  store.publish(difference(world(), first));

  const bootstrap = {
    xds_servers: [{ server_uri: address, channel_creds: [{ type: "insecure" }], server_features: ["xds_v3"] }],
    node: { id: "grpc-client", cluster: gatewayKey, locality: {} },
  };
  const caller = spawn(
    process.execPath,
    [fileURLToPath(new URL("./xds-caller.test-support.ts", import.meta.url)), "shop"],
    {
      env: { ...process.env, GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  cleanups.push(() => void caller.kill());
  const lines = createInterface({ input: caller.stdout })[Symbol.asyncIterator]();
  const answersBecome = async (expected: string) => {
    for (let seen = ""; seen !== expected; ) {
      caller.stdin.write("20\n");
      const line = await lines.next();
      if (line.done) throw new Error("the gRPC client ended");
      seen = line.value;
      expect(seen).not.toContain("Error");
    }
  };
  await answersBecome("one,two");

  const moved = world(...resources("shop", ports.slice(1)));
  store.publish(difference(first, moved));
  await answersBecome("three,two");

  const renamed = world(...resources("shop", ports.slice(0, 1), "other-backends"));
  store.publish(difference(moved, renamed));
  await answersBecome("one");
  expect(server.counters.refusals).toBe(0);
  // Nothing but the change is sent, once: here the one endpoint set.
  const before = server.counters.resources;
  const last = world(...resources("shop", ports.slice(1, 2), "other-backends"));
  store.publish(difference(renamed, last));
  await answersBecome("two");
  expect(server.counters.resources).toBe(before + 1);
});
