import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { waitFor } from "../harness/waiting.ts";
import { type ApiServer, startApiServer } from "./control-plane.ts";
import { createRest } from "./rest.ts";

const START_LIMIT_MS = 180_000;
const reader = { name: "reader", token: "reader-token", groups: [] };
let servers: ApiServer[];

beforeAll(async () => {
  servers = await Promise.all([startApiServer({ users: [reader] }), startApiServer()]);
}, START_LIMIT_MS);

afterAll(async () => {
  await Promise.all((servers ?? []).map((server) => server.stop()));
}, START_LIMIT_MS);

const configMap = (name: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data: { key: "value" },
});

test("two servers side by side share nothing", async () => {
  const [first, second] = servers as [ApiServer, ApiServer];
  await first.rest.json("/api/v1/namespaces/default/configmaps", { method: "POST", body: configMap("mine") });
  expect((await first.rest.ask("/api/v1/namespaces/default/configmaps/mine")).status).toBe(200);
  expect((await second.rest.ask("/api/v1/namespaces/default/configmaps/mine")).status).toBe(404);
});

test("a user has the rights that RBAC gives it, and a wrong token none", async () => {
  const server = servers[0]!;
  const rest = createRest(server.accessFor("reader"));
  const path = "/api/v1/namespaces/default/secrets";
  expect((await rest.ask(path)).status).toBe(403);
  const role = ["create", "clusterrolebinding", "readers", "--clusterrole=cluster-admin", "--user=reader"];
  await server.kubectl(role);
  await waitFor("the right to arrive", async () => (await rest.ask(path)).status === 200);
  const stranger = createRest({ ...rest.access, token: "wrong" });
  expect((await stranger.ask(path)).status).toBe(401);
  rest.close();
  stranger.close();
});

test("issues ServiceAccount tokens that it accepts", async () => {
  const { rest } = servers[1]!;
  const accounts = "/api/v1/namespaces/default/serviceaccounts";
  await rest.json(accounts, { method: "POST", body: { metadata: { name: "robot" } } });
  const issued = await rest.json<{ status: { token: string } }>(`${accounts}/robot/token`, {
    method: "POST",
    body: {},
  });
  const robot = createRest({ ...rest.access, token: issued.status.token });
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const who = await robot.json<{ status: { userInfo: { username: string } } }>(
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    { method: "POST", body: review },
  );
  expect(who.status.userInfo.username).toBe("system:serviceaccount:default:robot");
  robot.close();
});

test(
  "keeps its data and its address when it goes away and comes back",
  async () => {
    const server = servers[1]!;
    await server.rest.json("/api/v1/namespaces/default/configmaps", { method: "POST", body: configMap("kept") });
    await server.down("SIGKILL");
    await expect(server.rest.ask("/readyz")).rejects.toThrow();
    await server.up();
    expect(await server.kubectl(["get", "configmap", "kept", "-o", "jsonpath={.data.key}"])).toBe("value");
  },
  START_LIMIT_MS,
);

test("the kubeconfig is complete", () => {
  const config = JSON.parse(readFileSync(servers[0]!.kubeconfigPath, "utf8")) as {
    users: { user: { token: string } }[];
  };
  expect(config.users[0]?.user.token).toBe(servers[0]!.adminToken);
});
