import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { silentLogger } from "../../src/base/log.ts";
import {
  type ClusterInfrastructure,
  startClusterInfrastructure,
} from "../../src/infra/kubernetes/cluster-infrastructure.ts";
import { ENVOY_IMAGE, podTls } from "../../src/infra/kubernetes/environment.ts";
import { managedTypes } from "../../src/infra/kubernetes/managed-kinds.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { KubeObject } from "../../src/kube/resource-type.ts";
import type { FleetMember, GatewayInfrastructure } from "../../src/pipeline/infrastructure.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { waitFor } from "../harness/waiting.ts";
import { connectTo } from "../kube/input-world.ts";

/** Names of Gateways in their own namespaces, written to the real API server. */

const SYSTEM = "system";
let server: ApiServer;
let client: KubeClient;
const running: ClusterInfrastructure[] = [];
const faults = new Map<string, string | undefined>();

beforeAll(async () => {
  server = await startApiServer();
  const { caCertificate, token, url } = server.rest.access;
  client = connectTo({ url, token, caCertificate });
  for (const namespace of [SYSTEM, "a", "b"]) await server.kubectl(["create", "namespace", namespace]);
}, 120_000);

afterEach(() => Promise.all(running.splice(0).map((one) => one.stop())));

afterAll(async () => {
  await client?.close();
  await server?.stop();
}, 60_000);

function start(inGatewayNamespace = false): ClusterInfrastructure {
  const infrastructure = startClusterInfrastructure({
    client,
    environment: {
      namespace: SYSTEM,
      inGatewayNamespace,
      clusterDomain: "cluster.example",
      controlPlane: { address: { host: "gatehouse.example", port: 18000 }, tls: podTls("gatehouse.example", false) },
      envoyImage: ENVOY_IMAGE,
      gatehouseImage: "example.com/gatehouse:v1",
    },
    scope: { type: "All" },
    log: silentLogger,
    onState: (gateway, state) => faults.set(gateway, state?.fault?.text),
  });
  running.push(infrastructure);
  return infrastructure;
}

const member = (gateway: string, labels = {}, annotations = {}): FleetMember => ({ gateway, labels, annotations });

async function apply(infrastructure: ClusterInfrastructure, fleet: string, ...members: FleetMember[]): Promise<void> {
  const wanted: GatewayInfrastructure = {
    gateway: fleet,
    ports: [10_080],
    served: [{ name: "http-80", port: 80, bindPort: 10_080, protocol: "TCP" }],
    settings: {},
    held: false,
    gatewayClass: { name: "gatehouse" },
    members,
    addresses: [],
    labels: {},
    annotations: {},
  };
  infrastructure.apply(new Map([[fleet, members.length === 0 ? undefined : wanted]]));
  await infrastructure.idle();
}

interface FoundService extends KubeObject {
  readonly spec: { readonly type: string; readonly externalName?: string };
}

/** What a selector finds, as the conformance suite does. */
async function named(namespace: string, gateway: string): Promise<readonly FoundService[]> {
  const services = managedTypes.find(({ kind }) => kind === "Service")!;
  const labelSelector = `gateway.networking.k8s.io/gateway-name=${gateway}`;
  const found = await client.list<FoundService>(services, { namespace, labelSelector });
  if (!found.ok) throw new Error(found.error.message);
  return found.value;
}

test("each Gateway of a fleet has a name of its own, with the labels and annotations that it asks for", async () => {
  const infrastructure = start();
  await apply(infrastructure, "shared", member("a/web", { team: "x" }, { note: "y" }), member("b/web"));
  const [alias, ...others] = await named("a", "web");
  expect(others).toEqual([]);
  expect(alias?.metadata).toMatchObject({ name: "web-gatehouse", labels: { team: "x" }, annotations: { note: "y" } });
  expect(alias?.spec).toMatchObject({
    type: "ExternalName",
    externalName: expect.stringMatching(/^envoy-shared-[0-9a-f]{8}\.system\.svc\.cluster\.example$/),
  });
  await apply(infrastructure, "shared", member("a/web", {}, { note: "z" }));
  expect(await named("b", "web")).toEqual([]);
  const [changed] = await named("a", "web");
  expect(changed?.metadata.labels).not.toHaveProperty("team");
  expect(changed?.metadata.annotations).toMatchObject({ note: "z" });
  // What somebody changes is put right, and what goes is found by a leader that was not there.
  await server.kubectl(["-n", "a", "annotate", "service", "web-gatehouse", "note=mine", "--overwrite"]);
  const note = async () => (await named("a", "web"))[0]?.metadata.annotations?.["note"];
  await waitFor("the annotation to be put right", async () => (await note()) === "z");
  await infrastructure.stop();
  const next = start();
  await apply(next, "shared");
  expect(await named("a", "web")).toEqual([]);
}, 60_000);

test("a Service of somebody else is left alone, and the Gateway is served all the same", async () => {
  const infrastructure = start();
  await server.kubectl(["-n", "a", "create", "service", "clusterip", "theirs-gatehouse", "--tcp=80"]);
  await apply(infrastructure, "a/theirs", member("a/theirs"));
  expect(await named("a", "theirs")).toEqual([]);
  const type = ["-n", "a", "get", "service", "theirs-gatehouse", "-o", "jsonpath={.spec.type}"];
  expect(await server.kubectl(type)).toBe("ClusterIP");
  expect(faults.get("a/theirs")).toBeUndefined();
  await apply(infrastructure, "a/theirs");
  expect(await server.kubectl(type)).toBe("ClusterIP");
}, 60_000);

test("beside their Gateways objects have their names, and none is taken from anybody", async () => {
  const infrastructure = start(true);
  await apply(infrastructure, "b/own", member("b/own"));
  expect((await named("b", "own")).map(({ metadata, spec }) => [metadata.name, spec.type])).toEqual([
    ["own", "LoadBalancer"],
  ]);
  await server.kubectl(["-n", "b", "create", "service", "clusterip", "taken", "--tcp=80"]);
  await apply(infrastructure, "b/taken", member("b/taken"));
  expect(faults.get("b/taken")).toMatch(/Service b\/taken: one of this name is there already/);
  expect(await named("b", "taken")).toEqual([]);
}, 60_000);
