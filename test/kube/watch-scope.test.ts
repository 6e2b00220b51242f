import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import { readWatchScope } from "../../src/inputs/kubernetes/watch-scope.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { installCrds } from "./gateway-api.ts";
import { applyTo, configMap, type Mirror, type MirrorOptions, startMirror } from "./input-world.ts";
import { gatewayClass, namespace, route } from "./objects.ts";

// A machine that does other things as well takes its time.
jest.setTimeout(60_000);

let server: ApiServer;
const mirrors: Mirror[] = [];
const restricted = { name: "restricted", token: "restricted-token", groups: [] };

beforeAll(async () => {
  server = await startApiServer({ users: [restricted] });
  await installCrds(server, "standard");
  await apply(...["team-a", "team-b", "elsewhere"].map((name) => namespace(name)));
}, 180_000);
afterAll(() => server?.stop());
afterEach(async () => {
  for (const mirror of mirrors.splice(0)) await mirror.stop();
});

const apply = (...objects: readonly object[]) => applyTo(server, ...objects);
const direct = () => ({ url: server.url, token: server.adminToken, caCertificate: server.caCertificate });

async function start(options: Partial<MirrorOptions>): Promise<Mirror> {
  const mirror = startMirror({ ...direct(), ...options });
  mirrors.push(mirror);
  await waitFor("the input to be synced", () => mirror.synced === 1);
  return mirror;
}

const grant = async (rules: object[], inNamespace?: string) => {
  const kind = inNamespace === undefined ? "ClusterRole" : "Role";
  const metadata = { name: "reader", ...(inNamespace && { namespace: inNamespace }) };
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind, name: "reader" };
  const subjects = [{ kind: "User", name: restricted.name, apiGroup: "rbac.authorization.k8s.io" }];
  const apiVersion = "rbac.authorization.k8s.io/v1";
  await apply(
    { apiVersion, kind, metadata, rules },
    { apiVersion, kind: `${kind}Binding`, metadata, roleRef, subjects },
  );
};
const verbs = ["list", "watch"];

test("by name: with rights in those namespaces and on GatewayClasses alone", async () => {
  const apiGroups = [
    "",
    "discovery.k8s.io",
    "gateway.networking.k8s.io",
    "gateway.envoyproxy.io",
    "gateway.kgateway.dev",
  ];
  await grant([{ apiGroups: ["gateway.networking.k8s.io"], resources: ["gatewayclasses"], verbs }]);
  for (const name of ["team-a", "team-b"]) await grant([{ apiGroups, resources: ["*"], verbs }], name);
  await apply(route("mine", "team-a"), route("yours", "elsewhere"), gatewayClass("gatehouse"));
  const scope = readWatchScope({ type: "Namespaces", namespaces: ["team-a", "team-b"] });
  const mirror = await start({ ...direct(), token: restricted.token, scope });
  expect(mirror.keys("httpRoutes")).toEqual(["team-a/mine"]);
  expect(mirror.keys("gatewayClasses")).toEqual(["gatehouse"]);
  expect(mirror.input.states().find(({ collection }) => collection === "namespaces")).toMatchObject({
    doing: "failing",
    synced: true,
    error: expect.stringContaining("status 403"),
  });
  await apply(route("more", "team-b"));
  await waitFor("a route of the other namespace", () => mirror.keys("httpRoutes").includes("team-b/more"));
});

test("a right that is missing for a kind that matters is waited for", async () => {
  const waiting = startMirror({
    ...direct(),
    token: "restricted-token",
    scope: { type: "Namespaces", namespaces: ["elsewhere"] },
  });
  mirrors.push(waiting);
  await pause(7000);
  expect(waiting.synced).toBe(0);
  const apiGroups = ["*"];
  await grant([{ apiGroups, resources: ["*"], verbs }], "elsewhere");
  await waitFor("the input to be synced", () => waiting.synced === 1, 30_000);
  expect(waiting.keys("httpRoutes")).toEqual(["elsewhere/yours"]);
});

test("by label: objects come and go with the label of their namespace, all kinds of one together", async () => {
  const selector = {
    matchLabels: { watched: "yes" },
    matchExpressions: [{ key: "tier", operator: "NotIn", values: ["lab"] }],
  };
  await apply(
    namespace("labelled", { watched: "yes" }),
    namespace("later"),
    namespace("lab", { watched: "yes", tier: "lab" }),
  );
  await apply(
    route("here", "labelled"),
    route("there", "later"),
    configMap("there", "1", "later"),
    route("never", "lab"),
  );
  const mirror = await start({ scope: readWatchScope({ type: "NamespaceSelector", namespaceSelector: selector }) });
  expect(mirror.keys("httpRoutes")).toEqual(["labelled/here"]);
  expect(mirror.keys("gatewayClasses")).toContain("gatehouse");
  await apply(namespace("later", { watched: "yes" }));
  await waitFor("the objects of the labelled namespace", () => mirror.keys("httpRoutes").includes("later/there"));
  expect(mirror.keys("configMaps")).toContain("later/there");
  await server.kubectl(["delete", "httproute", "-n", "later", "there"]);
  await waitFor("the deletion there", () => mirror.deletions.includes("httpRoutes later/there"));
  await server.kubectl(["label", "namespace", "labelled", "watched-"]);
  await waitFor("the objects to go", () => mirror.keys("httpRoutes").length === 0);
  expect(mirror.keys("namespaces")).toEqual(["later"]);
  expect(mirror.synced).toBe(1);
});
