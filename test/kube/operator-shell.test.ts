import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import { silentLogger } from "../../src/base/log.ts";
import { followedKinds } from "../../src/inputs/kubernetes/followed-kinds.ts";
import { startKubernetesInput } from "../../src/inputs/kubernetes/kubernetes-input.ts";
import { CLASS_FINALIZER } from "../../src/kube/class-finalizer.ts";
import { createKubeClient } from "../../src/kube/client.ts";
import { loadKubeConfig } from "../../src/kube/credentials.ts";
import { createOperatorShell, type OperatorShell } from "../../src/kube/operator-shell.ts";
import type { KubeObject } from "../../src/kube/resource-type.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { installCrds } from "./gateway-api.ts";
import { applyTo } from "./input-world.ts";
import { gateway, gatewayClass } from "./objects.ts";

// A machine that does other things as well takes its time.
jest.setTimeout(60_000);

let server: ApiServer;
const replicas: Replica[] = [];

beforeAll(async () => {
  server = await startApiServer();
  await installCrds(server, "standard");
}, 180_000);
afterAll(() => server?.stop());
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.stop();
});

interface Replica {
  readonly shell: OperatorShell;
  readonly story: readonly string[];
  stop(): Promise<void>;
}

const timing = { leaseMilliseconds: 2000, renewDeadlineMilliseconds: 1200, retryMilliseconds: 150 };

/** A whole operator, as far as this folder goes: client, input of two kinds, shell. */
async function startReplica(elected = true, through?: FaultProxy): Promise<Replica> {
  const config = loadKubeConfig(server.kubeconfigPath);
  if (through) {
    config.loadFromClusterAndUser({ name: "proxy", server: through.url, skipTLSVerify: true }, { name: "proxy" });
  }
  const client = createKubeClient({ config });
  const story: string[] = [];
  const kinds = followedKinds.filter(({ collection }) => ["gatewayClasses", "gateways"].includes(collection));
  const shell = createOperatorShell({
    config,
    client,
    log: silentLogger,
    controllerNames: ["gatehouse.dev/gateway-controller"],
    election: elected ? { namespace: "default", name: "operator", identity: randomUUID(), timing } : undefined,
    startInput: (observe, onSynced) =>
      startKubernetesInput({
        client,
        kinds,
        scope: { type: "All" },
        log: silentLogger,
        onBatch() {},
        onSynced,
        onObserved(collection, key, object) {
          const kind = kinds.find((candidate) => candidate.collection === collection);
          if (kind) observe(kind, key, object);
        },
      }),
    onElected: () => {
      story.push("elected");
    },
    onLost: () => {
      story.push("lost");
    },
  });
  await shell.start();
  const stop = async () => {
    await shell.stop();
    await client.close();
  };
  const replica = { shell, story, stop };
  replicas.push(replica);
  return replica;
}

const apply = (...objects: readonly object[]) => applyTo(server, ...objects);

async function finalizersOf(name: string): Promise<readonly string[] | undefined> {
  const answer = await server.rest.ask(`/apis/gateway.networking.k8s.io/v1/gatewayclasses/${name}`);
  if (answer.status === 404) return undefined;
  return (JSON.parse(answer.body) as KubeObject).metadata.finalizers ?? [];
}

const untilFinalizers = (name: string, expected: readonly string[] | undefined) =>
  waitFor(`class ${name} to have the finalizers ${expected}`, async () => {
    return JSON.stringify(await finalizersOf(name)) === JSON.stringify(expected);
  });

const ofClass = (name: string, className: string) => {
  const object = gateway(name) as { readonly spec: object };
  return { ...object, spec: { ...object.spec, gatewayClassName: className } };
};

test("a class that Gateways use has the finalizer, and outlives them if it is deleted", async () => {
  await apply(gatewayClass("used"), gatewayClass("unused"), ofClass("one", "used"));
  const replica = await startReplica(false);
  expect(replica.story).toEqual(["elected"]);
  await untilFinalizers("used", [CLASS_FINALIZER]);
  expect(await finalizersOf("unused")).toEqual([]);
  await apply(ofClass("two", "used"));
  await server.kubectl(["delete", "gatewayclass", "used", "--wait=false"]);
  await server.kubectl(["delete", "gateway", "one"]);
  await pause(300);
  expect(await finalizersOf("used")).toEqual([CLASS_FINALIZER]);
  await server.kubectl(["delete", "gateway", "two"]);
  await untilFinalizers("used", undefined);
});

test("a Gateway that moves to another class takes the finalizer along; others' finalizers stay", async () => {
  const foreign = "example.com/mine";
  const guarded = gatewayClass("guarded") as { readonly metadata: object };
  await apply(
    { ...guarded, metadata: { ...guarded.metadata, finalizers: [foreign] } },
    gatewayClass("target"),
    ofClass("mover", "guarded"),
  );
  await startReplica(false);
  await untilFinalizers("guarded", [foreign, CLASS_FINALIZER]);
  await apply(ofClass("mover", "target"));
  await untilFinalizers("target", [CLASS_FINALIZER]);
  await untilFinalizers("guarded", [foreign]);
  await server.kubectl(["delete", "gateway", "mover"]);
  await untilFinalizers("target", []);
});

test("classes of other controllers are left alone", async () => {
  const other = gatewayClass("other") as { readonly spec: object };
  await apply({ ...other, spec: { controllerName: "example.com/other" } }, ofClass("theirs", "other"));
  await apply(gatewayClass("ours"), ofClass("ours", "ours"));
  await startReplica(false);
  await untilFinalizers("ours", [CLASS_FINALIZER]);
  expect(await finalizersOf("other")).toEqual([]);
});

test("only the leader writes, and its successor does what was left undone", async () => {
  const first = await startReplica();
  await waitFor("a leader", () => first.shell.leading);
  const access = { url: server.url, caCertificate: server.caCertificate, token: server.adminToken };
  const proxy = await startFaultProxy(access);
  const second = await startReplica(true, proxy);
  await waitFor("the other to know the leader", () => second.shell.leader !== undefined);
  await apply(gatewayClass("first"), ofClass("first", "first"));
  await untilFinalizers("first", [CLASS_FINALIZER]);
  await pause(300);
  expect(proxy.log.filter((line) => !line.startsWith("GET"))).toEqual([]);
  await first.stop();
  // Nobody leads at this moment, or the second has just begun.
  await apply(gatewayClass("meanwhile"), ofClass("meanwhile", "meanwhile"));
  await untilFinalizers("meanwhile", [CLASS_FINALIZER]);
  expect(first.story).toEqual(["elected", "lost"]);
  expect(second.story).toEqual(["elected"]);
  expect(first.shell.leading).toBe(false);
  await second.stop();
  await proxy.close();
});

test("a class is not taken for unused before all Gateways are known", async () => {
  await apply(gatewayClass("kept"), ofClass("keeper", "kept"));
  const first = await startReplica(false);
  await untilFinalizers("kept", [CLASS_FINALIZER]);
  await first.stop();
  const before = await resourceVersion("kept");
  await startReplica(false);
  await pause(1000);
  expect(await resourceVersion("kept")).toBe(before);
});

test("what the library would swallow is an error here", async () => {
  await apply(gatewayClass("statused"));
  const { shell } = await startReplica(false);
  // Protected, and meant for code inside the operator.
  const inside = shell as unknown as {
    setResourceStatus(meta: object, status: unknown): Promise<{ readonly resourceVersion: string }>;
    patchResourceStatus(meta: object, status: unknown): Promise<{ readonly resourceVersion: string }>;
  };
  const version = await resourceVersion("statused");
  const apiVersion = "gateway.networking.k8s.io/v1";
  const id = `gatewayclasses.${apiVersion}`;
  const meta = { id, name: "statused", apiVersion, kind: "GatewayClass", resourceVersion: version };
  const condition = (reason: string) => ({
    conditions: [{ type: "Accepted", status: "True", reason, message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }],
  });
  const next = await inside.patchResourceStatus(meta, condition("One"));
  expect(next.resourceVersion).toBe(await resourceVersion("statused"));
  await expect(inside.setResourceStatus(meta, condition("Two"))).rejects.toThrow(
    /cannot replace status of GatewayClass statused: .* \(status 409\)/,
  );
  await inside.setResourceStatus({ ...meta, resourceVersion: next.resourceVersion }, condition("Two"));
  await expect(inside.patchResourceStatus({ ...meta, name: "nobody" }, {})).rejects.toThrow("status 404");
});

async function resourceVersion(name: string): Promise<string | undefined> {
  const path = `/apis/gateway.networking.k8s.io/v1/gatewayclasses/${name}`;
  return (await server.rest.json<KubeObject>(path)).metadata.resourceVersion;
}
