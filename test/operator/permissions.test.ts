import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { infrastructureName } from "../../src/attach/infrastructure-name.ts";
import { SERVER_SECRET } from "../../src/certs/objects.ts";
import { waitFor } from "../harness/waiting.ts";
import { createAuditTrail } from "./audit.ts";
import { findNeeded, type Grant, printGrant, readRoles, without } from "./grants.ts";
import { quickstart, START_LIMIT_MS, STEP_LIMIT_MS, SYSTEM, startWorld, type World } from "./world.ts";

/**
 * Each way to install Gatehouse serves with the permissions that it brings, and none of them is too many: what Gatehouse asks the
 * API server for while it does all that it can do is recorded (the audit log), then each verb on each resource is taken away
 * alone, and the API server would refuse something of the record.
 */

const USER = `system:serviceaccount:${SYSTEM}:gatehouse`;
const everything = readFileSync(new URL("everything.yaml", import.meta.url), "utf8");
const audit = createAuditTrail(USER);
/** Whether something was refused without a grant, in one of the installations at least. */
const removals = new Map<string, boolean>();

let world: World;

beforeAll(async () => {
  world = await startWorld({ apiServerArgs: audit.apiServerArgs });
  await world.install("config/compat");
}, START_LIMIT_MS);

afterAll(async () => {
  await world?.cluster.stop();
  audit.remove();
}, START_LIMIT_MS);

const edit = (kind: string, name: string, spec: unknown) =>
  world.kubectl("patch", kind, name, "--type=merge", "-p", JSON.stringify({ spec }));
const observes = (resource: string, generation: number) =>
  waitFor(
    `a status of ${resource} for generation ${generation}`,
    async () =>
      (await world.kubectl("get", resource, "-o", "jsonpath={.status}")).includes(`observedGeneration":${generation}`),
    STEP_LIMIT_MS,
  );
const named = (kind: string, namespace: string) =>
  world.kubectl("get", kind, "-n", namespace, "-l", "gatehouse.dev/installation", "-o", "name");

const gateway = (name: string, port: number) =>
  JSON.stringify({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name, namespace: "default" },
    spec: { gatewayClassName: "gatehouse", listeners: [{ name: "http", protocol: "HTTP", port }] },
  });

/** @param envoys namespace in which they run */
const streamRoutes = ["tlsroute/hello", "tcproute/hello", "udproute/hello"];

async function doEverything(envoys: string): Promise<void> {
  const { kubectl, apply, untilServed } = world;
  await apply(quickstart);
  await untilServed("eg", "/");
  // Somebody has an object of the name that the next Gateway's certificate gets.
  const blocked = infrastructureName("default/blocked");
  await kubectl("create", "secret", "generic", blocked, "-n", SYSTEM);
  await apply(everything);
  await apply(gateway("blocked", 81));
  for (const each of [
    "envoyproxy/full",
    "listenerset/more",
    "backend/elsewhere",
    "backendtlspolicy/elsewhere",
    "backendtrafficpolicy/hello",
    "securitypolicy/hello",
    "clienttrafficpolicy/full",
    "httproute/hello",
    "grpcroute/hello",
    ...streamRoutes,
  ])
    await observes(each, 1);
  await waitFor("an autoscaler", () => named("hpa", envoys));
  await waitFor("a disruption budget", () => named("pdb", envoys));
  // Whatever has a status gets another one.
  await edit("backend", "elsewhere", { endpoints: [{ ip: { address: "127.0.0.1", port: 80 } }] });
  await edit("backendtlspolicy", "elsewhere", { validation: { hostname: "other.example.com" } });
  const gone = { group: "gateway.networking.k8s.io", name: "full", kind: "Gateway", sectionName: "gone" };
  await edit("clienttrafficpolicy", "full", { targetRefs: [gone] });
  await edit("backendtrafficpolicy", "hello", { timeout: { tcp: { connectTimeout: "0s" } } });
  await edit("securitypolicy", "hello", { authorization: {} });
  await edit("httproute", "hello", { hostnames: ["other.example.com"] });
  await edit("grpcroute", "hello", { hostnames: ["other-grpc.example.com"] });
  const rules = [{ backendRefs: [{ name: "echo", port: 80, weight: 2 }] }];
  for (const each of streamRoutes) await edit(each.slice(0, each.indexOf("/")), "hello", { rules });
  // With the class the name of its Service in its own namespace changes.
  const gatewayName = "gateway.networking.k8s.io/gateway-name";
  const byName = () => kubectl("get", "service", "-n", "default", "-l", `${gatewayName}=blocked`, "-o", "name");
  await waitFor("a Service beside the Gateway", async () => (await byName()) !== "", STEP_LIMIT_MS);
  await edit("gateway", "blocked", {
    gatewayClassName: "second",
    listeners: [{ name: "http", protocol: "HTTP", port: 82 }],
  });
  await edit("listenerset", "more", { listeners: [{ name: "more", protocol: "HTTP", port: 8082 }] });
  const provider = { type: "Kubernetes", kubernetes: { envoyHpa: null, envoyPDB: null, envoyDaemonSet: {} } };
  await edit("envoyproxy", "full", { provider });
  for (const each of [
    "envoyproxy/full",
    "listenerset/more",
    "backend/elsewhere",
    "backendtlspolicy/elsewhere",
    "backendtrafficpolicy/hello",
    "securitypolicy/hello",
    "clienttrafficpolicy/full",
    "httproute/hello",
    "grpcroute/hello",
    ...streamRoutes,
    "gateway/blocked",
  ]) {
    await observes(each, 2);
  }
  await waitFor("a DaemonSet", () => named("daemonset", envoys));
  await waitFor("the end of the rest", async () => (await named("hpa,pdb", envoys)) === "", STEP_LIMIT_MS);
  await restoresCertificate();
  await world.cluster.kubectl(["delete", "--wait=false", "-f", "-"], `${everything}\n---\n${quickstart}`);
  await kubectl("delete", "gateway", "blocked");
  await waitFor("an empty house", async () => (await named("deploy,ds,svc,sa,cm", envoys)) === "", STEP_LIMIT_MS);
  await waitFor("no Service beside a Gateway", async () => (await named("svc", "default")) === "", STEP_LIMIT_MS);
  await waitFor("the end of the class", async () => (await kubectl("get", "gatewayclass", "-o", "name")) === "");
}

/** A certificate that somebody broke is made anew. */
async function restoresCertificate(): Promise<void> {
  const certificate = () =>
    world.kubectl("get", "secret", "-n", SYSTEM, SERVER_SECRET, "-o", "jsonpath={.data.tls\\.crt}");
  const broken = Buffer.from("broken").toString("base64");
  await world.kubectl(
    "patch",
    "secret",
    "-n",
    SYSTEM,
    SERVER_SECRET,
    "-p",
    JSON.stringify({ data: { "tls.crt": broken } }),
  );
  await waitFor("another certificate", async () => (await certificate()) !== broken, STEP_LIMIT_MS);
}

/** What a missing permission looks like to whoever looks after Gatehouse. */
async function tellsWhatLacks(roles: ReadonlyMap<string, string>): Promise<void> {
  const { cluster, kubectl, apply, condition, untilServed } = world;
  const path = (role: string) => roles.get(`ClusterRole/${role}`) ?? "";
  await apply(quickstart);
  await untilServed("eg", "/");
  const status = "update httproutes/status.gateway.networking.k8s.io";
  await without(cluster.rest, path("gatehouse-objects"), status, async () => {
    await edit("httproute", "echo", { hostnames: ["other.example.com"] });
    const log = () => kubectl("logs", "-n", SYSTEM, "deployment/gatehouse");
    await waitFor("the log to say it", async () => (await log()).includes("httproutes/status"), STEP_LIMIT_MS);
  });
  await observes("httproute/echo", 2);
  await without(cluster.rest, path("gatehouse-infrastructure"), "create deployments.apps", async () => {
    await apply(gateway("another", 80));
    const message = async () => (await condition("gateway/another", "Programmed"))?.message ?? "";
    await waitFor(
      "the Gateway to say it",
      async () => /deployments.* is forbidden/.test(await message()),
      STEP_LIMIT_MS,
    );
  });
  await kubectl("delete", "gateway", "another");
  await cluster.kubectl(["delete", "-f", "-"], quickstart);
}

describe.each([
  { folder: "config/default", envoys: SYSTEM },
  { folder: "config/namespaced", envoys: SYSTEM },
  { folder: "config/gateway-namespace", envoys: "default" },
])("$folder", ({ folder, envoys }) => {
  let roles: ReadonlyMap<string, string>;

  beforeAll(async () => {
    audit.clear();
    await world.install(folder);
    await world.kubectl("rollout", "status", "-n", SYSTEM, "deployment/gatehouse", "--timeout=60s");
    roles = await readRoles(world.cluster.rest, SYSTEM, /^gatehouse/);
  }, START_LIMIT_MS);

  afterAll(() => world.kubectl("delete", "-k", folder, "--ignore-not-found").then(() => {}), START_LIMIT_MS);

  test(
    "serves, and is refused nothing",
    async () => {
      await doEverything(envoys);
      expect(audit.read().filter(({ allowed }) => !allowed)).toEqual([]);
    },
    2 * STEP_LIMIT_MS,
  );

  if (folder === "config/default") test("what lacks is said", () => tellsWhatLacks(roles), 2 * STEP_LIMIT_MS);

  test(
    "without any one permission something is refused",
    async () => {
      await world.kubectl("scale", "-n", SYSTEM, "deployment/gatehouse", "--replicas=0");
      const unclear = (grant: Grant) => removals.get(printGrant(grant)) !== true;
      const { all, needed } = await findNeeded(world.cluster.rest, roles, USER, { record: audit.read(), unclear });
      for (const grant of all) {
        const name = printGrant(grant);
        removals.set(name, removals.get(name) === true || needed.includes(grant));
      }
      expect(needed.length).toBeGreaterThan(0);
    },
    2 * STEP_LIMIT_MS,
  );
});

test("no permission is one too many in all of them", () => {
  expect([...removals].filter(([, needed]) => !needed).map(([name]) => name)).toEqual([]);
});
