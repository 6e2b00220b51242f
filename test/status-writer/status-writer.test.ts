import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { type Logger, silentLogger } from "../../src/base/log.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { writeKubeconfig } from "../cluster/kubeconfig.ts";
import { waitFor } from "../harness/waiting.ts";
import { installCrds } from "../kube/gateway-api.ts";
import {
  backend,
  backendTlsPolicy,
  envoyProxy,
  gateway,
  gatewayClass,
  gatewayWithProxy,
  grpcRoute,
  listenerSet,
  openGateway,
  route,
} from "./objects.ts";
import {
  ancestorsOf,
  type Condition,
  GATEWAY_API,
  type Instance,
  type InstanceOptions,
  OTHER,
  OURS,
  parentsOf,
  pathOf,
  type Stored,
  startInstance,
} from "./world.ts";

const START_LIMIT_MS = 180_000;
const TEST_LIMIT_MS = 60_000;
const kinds = [
  "GatewayClass",
  "Gateway",
  "ListenerSet",
  "HTTPRoute",
  "GRPCRoute",
  "BackendTLSPolicy",
  "EnvoyProxy",
  "Backend",
];

const limited = { name: "limited", token: "limited-token", groups: [] };

let server: ApiServer;
const instances: Instance[] = [];

beforeAll(async () => {
  server = await startApiServer({ users: [limited] });
  await installCrds(server);
}, START_LIMIT_MS);
afterAll(() => server?.stop(), START_LIMIT_MS);

beforeEach(async () => {
  for (const kind of kinds) await server.rest.json(pathOf(kind), { method: "DELETE" });
}, TEST_LIMIT_MS);
afterEach(async () => {
  for (const instance of instances.splice(0)) await instance.stop();
}, TEST_LIMIT_MS);

async function start(options: Partial<InstanceOptions> = {}): Promise<Instance> {
  const { kubeconfigPath, rest } = server;
  const instance = await startInstance({ kubeconfigPath, access: rest.access, ...options });
  instances.push(instance);
  return instance;
}

const create = (object: { kind: string }) => server.rest.json(pathOf(object.kind), { method: "POST", body: object });
const read = (kind: string, name: string) => server.rest.json<Stored>(pathOf(kind, name));
const remove = (kind: string, name: string) => server.rest.json(pathOf(kind, name), { method: "DELETE" });
const merge = (kind: string, name: string, body: object, subresource?: "status") =>
  server.rest.json<Stored>(pathOf(kind, name, subresource), {
    method: "PATCH",
    contentType: "application/merge-patch+json",
    body,
  });

const conditionsOf = (object: Stored) => (object.status?.["conditions"] ?? []) as Condition[];
const conditionOf = (object: Stored, type: string) => conditionsOf(object).find((condition) => condition.type === type);
const oursOf = (object: Stored) => parentsOf(object).filter(({ controllerName }) => controllerName === OURS);

async function versions(): Promise<string[]> {
  const lists = await Promise.all(kinds.map((kind) => server.rest.json<{ items: Stored[] }>(pathOf(kind))));
  return lists.flatMap(({ items }) => items.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`));
}

test(
  "every kind gets a status that its schema takes, and the next start writes nothing",
  async () => {
    await create(gatewayClass("class"));
    await create(gateway("web", "class", ["a", "b"]));
    await create(route("r", ["web"]));
    await create(grpcRoute("g", ["web"]));
    await create(backend("good", "10.0.0.1"));
    await create(backend("bad", "127.0.0.1"));
    await create(gatewayWithProxy("proxied", "class", "proxy"));
    await create(envoyProxy("proxy"));
    await create(openGateway("open", "class"));
    await create(listenerSet("more", "open", 9000));
    await create(listenerSet("refused", "web", 9000));
    const instance = await start();
    await instance.settled();

    expect(conditionOf(await read("GatewayClass", "class"), "Accepted")).toMatchObject({
      status: "True",
      observedGeneration: 1,
    });
    const web = await read("Gateway", "web");
    expect(conditionOf(web, "Accepted")).toMatchObject({ status: "True" });
    expect(conditionOf(web, "Programmed")).toMatchObject({ status: "False" });
    expect(web.status?.["listeners"]).toMatchObject([
      { name: "a", attachedRoutes: 2 },
      { name: "b", attachedRoutes: 2 },
    ]);
    for (const kind of ["HTTPRoute", "GRPCRoute"]) {
      const [parent, ...more] = parentsOf(await read(kind, kind === "HTTPRoute" ? "r" : "g"));
      expect(more).toEqual([]);
      expect(parent).toMatchObject({ controllerName: OURS, parentRef: { name: "web" } });
      expect(parent?.conditions).toMatchObject([
        { type: "Accepted", status: "True" },
        { type: "ResolvedRefs", status: "False", reason: "BackendNotFound" },
      ]);
    }
    expect(conditionOf(await read("Backend", "good"), "Accepted")?.status).toBe("True");
    expect((await read("EnvoyProxy", "proxy")).status?.["ancestors"]).toMatchObject([
      { ancestorRef: { kind: "Gateway", name: "proxied" }, conditions: [{ type: "Accepted", status: "True" }] },
    ]);
    expect((await read("Gateway", "open")).status).toMatchObject({ attachedListenerSets: 1 });
    expect(web.status).not.toHaveProperty("attachedListenerSets");
    const more = await read("ListenerSet", "more");
    expect(conditionOf(more, "Accepted")).toMatchObject({ status: "True", observedGeneration: 1 });
    expect(more.status?.["listeners"]).toMatchObject([{ name: "http", attachedRoutes: 0 }]);
    expect(conditionOf(await read("ListenerSet", "refused"), "Accepted")).toMatchObject({ reason: "NotAllowed" });
    expect(instance.writer.figures().failures).toEqual({});

    const before = await versions();
    await instance.stop();
    const next = await start();
    await next.settled();
    expect(next.writer.figures()).toMatchObject({ writes: 0, reads: 0 });
    expect(await versions()).toEqual(before);
  },
  TEST_LIMIT_MS,
);

test(
  "an edit moves observedGeneration, and times only with the status",
  async () => {
    await create(gatewayClass("class"));
    await create(gateway("web", "class"));
    await create(route("r", ["web"]));
    const instance = await start();
    await instance.settled();
    const before = oursOf(await read("HTTPRoute", "r"))[0]?.conditions ?? [];
    const gatewayBefore = await read("Gateway", "web");
    await new Promise((resolve) => setTimeout(resolve, 1_100));

    await merge("HTTPRoute", "r", { spec: { rules: null } });
    await merge("Gateway", "web", { spec: { listeners: [{ name: "http", protocol: "HTTP", port: 8001 }] } });
    await instance.settled();
    const [accepted, resolved] = oursOf(await read("HTTPRoute", "r"))[0]?.conditions ?? [];
    expect(accepted).toEqual({ ...before[0], observedGeneration: 2 });
    expect(resolved).toMatchObject({ status: "True", observedGeneration: 2 });
    expect(resolved?.lastTransitionTime).not.toBe(before[1]?.lastTransitionTime);
    const web = await read("Gateway", "web");
    expect(conditionOf(web, "Accepted")).toEqual({ ...conditionOf(gatewayBefore, "Accepted"), observedGeneration: 2 });
  },
  TEST_LIMIT_MS,
);

test(
  "a policy has an entry for each Gateway that reaches its target, beside those of others, and none when no route leads there",
  async () => {
    await create(gatewayClass("class"));
    for (const name of ["a", "b"]) await create(gateway(name, "class"));
    await create(route("r", ["a", "b"]));
    await create(backendTlsPolicy("policy"));
    const condition = { type: "Accepted", status: "True", reason: "Accepted", message: "", observedGeneration: 1 };
    const foreign = {
      ancestorRef: { group: GATEWAY_API, kind: "Gateway", name: "theirs" },
      controllerName: OTHER,
      conditions: [{ ...condition, lastTransitionTime: "2026-01-01T00:00:00Z" }],
    };
    await merge("BackendTLSPolicy", "policy", { status: { ancestors: [foreign] } }, "status");
    const instance = await start();
    await instance.settled();
    const entries = async () => ancestorsOf(await read("BackendTLSPolicy", "policy"));
    const own = (name: string) => ({
      ancestorRef: { group: GATEWAY_API, kind: "Gateway", namespace: "default", name },
      controllerName: OURS,
      conditions: [
        { type: "Accepted", status: "False", reason: "TargetNotFound", observedGeneration: 1 },
        { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", observedGeneration: 1 },
      ],
    });
    expect(await entries()).toMatchObject([foreign, own("a"), own("b")]);

    await merge("HTTPRoute", "r", { spec: { parentRefs: [{ name: "b" }] } });
    await instance.settled();
    expect(await entries()).toMatchObject([foreign, own("b")]);
    expect(await entries()).toHaveLength(2);
    await remove("HTTPRoute", "r");
    await instance.settled();
    expect(await entries()).toEqual([foreign]);
    expect(instance.writer.figures().failures).toEqual({});
  },
  TEST_LIMIT_MS,
);

/** A controller that keeps an entry of its own in every route, as any other would: read, change, write, again on a conflict. */
async function keepOtherEntries(names: readonly string[], rounds: number): Promise<number> {
  let lost = 0;
  for (let round = 1; round <= rounds; round++) {
    await Promise.all(
      names.map(async (name) => {
        for (;;) {
          const object = await read("HTTPRoute", name);
          const mine = parentsOf(object).find(({ controllerName }) => controllerName === OTHER);
          if (round > 1 && mine?.conditions[0]?.message !== `round ${round - 1}`) lost++;
          const condition = {
            type: "Accepted",
            status: "True",
            reason: "Accepted",
            message: `round ${round}`,
            lastTransitionTime: "2026-01-01T00:00:00Z",
          };
          const parent = { parentRef: { name: "other" }, controllerName: OTHER, conditions: [condition] };
          const parents = [...parentsOf(object).filter((entry) => entry !== mine), parent];
          const body = { ...object, status: { parents } };
          if ((await server.rest.ask(pathOf("HTTPRoute", name, "status"), { method: "PUT", body })).status === 200)
            return;
        }
      }),
    );
  }
  return lost;
}

test(
  "two controllers that write the same routes at the same time lose nothing of each other",
  async () => {
    await create(gatewayClass("class"));
    await create(gateway("web", "class"));
    const names = Array.from({ length: 20 }, (_, i) => `r${i}`);
    for (const name of names) await create(route(name, ["web", "other"]));
    const instance = await start();
    const edits = (async () => {
      for (let i = 0; i < 15; i++) {
        await Promise.all(
          names.map((name) => merge("HTTPRoute", name, { spec: { hostnames: [`edit-${i}.example.com`] } })),
        );
      }
    })();
    const lost = await keepOtherEntries(names, 15);
    await edits;
    await instance.settled();
    expect(lost).toBe(0);
    for (const name of names) {
      const object = await read("HTTPRoute", name);
      expect(parentsOf(object)).toHaveLength(2);
      expect(parentsOf(object)).toContainEqual(
        expect.objectContaining({
          controllerName: OTHER,
          conditions: [expect.objectContaining({ message: "round 15" })],
        }),
      );
      expect(oursOf(object)[0]?.conditions[0]?.observedGeneration).toBe(object.metadata.generation);
    }
    // The point of the exercise: the two met.
    expect(instance.writer.figures().conflicts).toBeGreaterThan(0);
  },
  TEST_LIMIT_MS,
);

test(
  "conditions of others on a Gateway stay, by whichever way they were written",
  async () => {
    await create(gatewayClass("class"));
    await create(gateway("web", "class"));
    const instance = await start();
    await instance.settled();
    const time = "2026-01-01T00:00:00Z";
    const foreign = (type: string) => ({ type, status: "True", reason: "R", message: "m", lastTransitionTime: time });
    await server.rest.json(`${pathOf("Gateway", "web", "status")}?fieldManager=billing`, {
      method: "PATCH",
      contentType: "application/apply-patch+yaml",
      body: {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "Gateway",
        metadata: { name: "web" },
        status: { conditions: [foreign("example.com/Paid")] },
      },
    });
    const object = await read("Gateway", "web");
    const status = { ...object.status, conditions: [...conditionsOf(object), foreign("example.com/Audited")] };
    await server.rest.json(pathOf("Gateway", "web", "status"), { method: "PUT", body: { ...object, status } });
    await merge("Gateway", "web", { spec: { listeners: [{ name: "other", protocol: "HTTP", port: 8001 }] } });
    await instance.settled();
    const after = await read("Gateway", "web");
    const types = conditionsOf(after).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(["Accepted", "example.com/Audited", "example.com/Paid"]));
    expect(conditionOf(after, "Accepted")?.observedGeneration).toBe(2);
    expect(after.status?.["listeners"]).toMatchObject([{ name: "other" }]);
  },
  TEST_LIMIT_MS,
);

test(
  "what another controller left on a class and a Gateway is taken over, and repaired when it writes again",
  async () => {
    await create(gatewayClass("class"));
    await create(gateway("web", "class"));
    const stale = [
      { type: "Accepted", status: "False", reason: "Old", message: "", lastTransitionTime: "2020-01-01T00:00:00Z" },
    ];
    await merge("GatewayClass", "class", { status: { conditions: stale } }, "status");
    await merge("Gateway", "web", { status: { conditions: stale } }, "status");
    const instance = await start();
    await instance.settled();
    for (const [kind, name] of [
      ["GatewayClass", "class"],
      ["Gateway", "web"],
    ] as const) {
      expect(conditionOf(await read(kind, name), "Accepted")).toMatchObject({ status: "True", reason: "Accepted" });
      await merge(kind, name, { status: { conditions: stale } }, "status");
    }
    await waitFor(
      "the repair",
      async () =>
        conditionOf(await read("Gateway", "web"), "Accepted")?.status === "True" &&
        conditionOf(await read("GatewayClass", "class"), "Accepted")?.status === "True",
    );
  },
  TEST_LIMIT_MS,
);

test(
  "our entries leave with the parentRef, the Gateway and the class; those of others stay",
  async () => {
    await create(gatewayClass("class"));
    await create(gatewayClass("second"));
    for (const name of ["one", "two"]) await create(gateway(name, "class"));
    await create(gateway("three", "second"));
    const names = ["by-edit", "by-gateway", "by-class"];
    await create(route("by-edit", ["one", "two"]));
    await create(route("by-gateway", ["two", "one"]));
    await create(route("by-class", ["three"]));
    const instance = await start();
    await keepOtherEntries(names, 1);
    await instance.settled();
    expect(oursOf(await read("HTTPRoute", "by-edit"))).toHaveLength(2);

    await merge("HTTPRoute", "by-edit", { spec: { parentRefs: [{ name: "one" }] } });
    await remove("Gateway", "two");
    await remove("GatewayClass", "second");
    await instance.settled();
    const left = async (name: string) =>
      oursOf(await read("HTTPRoute", name)).map(({ parentRef }) => parentRef["name"]);
    expect(await left("by-edit")).toEqual(["one"]);
    expect(await left("by-gateway")).toEqual(["one"]);
    expect(await left("by-class")).toEqual([]);
    for (const name of names) {
      expect(
        parentsOf(await read("HTTPRoute", name)).filter(({ controllerName }) => controllerName === OTHER),
      ).toHaveLength(1);
    }
    const three = await read("Gateway", "three");
    expect(three.status?.["listeners"] ?? []).toEqual([]);
    expect(conditionsOf(three).filter(({ status }) => status === "True")).toEqual([]);

    await instance.stop();
    await remove("Gateway", "one");
    const next = await start();
    await next.settled();
    expect(await left("by-edit")).toEqual([]);
  },
  TEST_LIMIT_MS,
);

test(
  "more parents than a status holds, and others' entries among them",
  async () => {
    await create(gatewayClass("class"));
    const listeners = Array.from({ length: 30 }, (_, i) => `l${i}`);
    await create(gateway("web", "class", listeners));
    const parentRefs = listeners.map((sectionName) => ({ name: "web", sectionName }));
    await create({ ...route("r", []), spec: { parentRefs, hostnames: ["r.example.com"] } } as never);
    const condition = {
      type: "Accepted",
      status: "True",
      reason: "Accepted",
      message: "",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    const parent = (i: number) => ({
      parentRef: { name: `theirs-${i}` },
      controllerName: OTHER,
      conditions: [condition],
    });
    const parents = Array.from({ length: 8 }, (_, i) => parent(i));
    await merge("HTTPRoute", "r", { status: { parents } }, "status");
    const instance = await start();
    await instance.settled();
    const object = await read("HTTPRoute", "r");
    expect(parentsOf(object)).toHaveLength(32);
    expect(parentsOf(object).slice(0, 8)).toMatchObject(parents.map(({ parentRef }) => ({ parentRef })));
    const last = oursOf(object)
      .at(-1)
      ?.conditions.find(({ type }) => type === "Aggregated");
    expect(last?.message).toBe("6 more parents are not listed, because a status holds 32 of all controllers.");
    expect(instance.writer.figures()).toMatchObject({ failures: {} });
  },
  TEST_LIMIT_MS,
);

test(
  "the API server goes away in the middle, and every status arrives",
  async () => {
    await create(gatewayClass("class"));
    await create(gateway("web", "class"));
    const instance = await start({ limits: { rate: { queriesPerSecond: 100, burst: 1 } } });
    const names = Array.from({ length: 150 }, (_, i) => `r${i}`);
    await Promise.all(names.map((name) => create(route(name, ["web"]))));
    await waitFor("some statuses", () => instance.writer.figures().writes > 20);
    await server.down("SIGKILL");
    await server.up();
    await waitFor(
      "all statuses",
      async () => {
        const { items } = await server.rest.json<{ items: Stored[] }>(pathOf("HTTPRoute"));
        return items.length === 150 && items.every((object) => oursOf(object).length === 1);
      },
      START_LIMIT_MS,
    );
    await instance.settled();
    expect(instance.writer.figures().failures.Unavailable ?? 0).toBeGreaterThan(0);
  },
  START_LIMIT_MS,
);

test(
  "a new leader takes over from where the old one stopped",
  async () => {
    await create(gatewayClass("class"));
    await create(gateway("web", "class"));
    const first = await start();
    const second = await start({ leads: false });
    const names = Array.from({ length: 100 }, (_, i) => `r${i}`);
    await Promise.all(names.map((name) => create(route(name, ["web"]))));
    await waitFor("some statuses", () => first.writer.figures().writes > 20);
    await first.writer.stop();
    const written = first.writer.figures().writes;
    expect(second.writer.figures().writes).toBe(0);
    second.writer.start();
    await second.settled();
    for (const name of names) expect(oursOf(await read("HTTPRoute", name))).toHaveLength(1);
    expect(first.writer.figures()).toMatchObject({ writes: written, inFlight: 0 });
    expect(second.writer.figures().failures).toEqual({});
  },
  TEST_LIMIT_MS,
);

test(
  "without permission it says so once, and goes on when it is given",
  async () => {
    await create(gatewayClass("class"));
    await create(gateway("web", "class"));
    const names = Array.from({ length: 30 }, (_, i) => `r${i}`);
    await Promise.all(names.map((name) => create(route(name, ["web"]))));
    const everything = ["--verb=get,list,watch", "--resource=*.gateway.networking.k8s.io,*.gateway.envoyproxy.io"];
    await server.kubectl(["create", "clusterrole", "reader", ...everything]);
    await server.kubectl(["create", "clusterrolebinding", "reader", "--clusterrole=reader", "--user=limited"]);
    const access = server.accessFor("limited");
    const logged: string[] = [];
    const log: Logger = { ...silentLogger, warn: (message) => void logged.push(message), with: () => log };
    const kubeconfigPath = writeKubeconfig(join(server.directory, "limited"), access);
    const instance = await start({ access, kubeconfigPath, log, limits: { forbidden: { first: 100, max: 300 } } });
    await waitFor("all to be postponed", () => instance.writer.figures().postponed === 32);
    expect(logged.sort()).toEqual([
      "statuses of Gateway in namespace default may not be written: allow it in the role",
      "statuses of GatewayClass may not be written: allow it in the role",
      "statuses of HTTPRoute in namespace default may not be written: allow it in the role",
    ]);
    const resources = ["httproutes/status", "gateways/status", "gatewayclasses/status"];
    const rule = ["--verb=update,patch", `--resource=${resources.map(inGatewayApi).join()}`];
    await server.kubectl(["create", "clusterrole", "writer", ...rule]);
    await server.kubectl(["create", "clusterrolebinding", "writer", "--clusterrole=writer", "--user=limited"]);
    await instance.settled();
    for (const name of names) expect(oursOf(await read("HTTPRoute", name))).toHaveLength(1);
    expect(logged).toHaveLength(3);
  },
  TEST_LIMIT_MS,
);

const inGatewayApi = (resource: string) => resource.replace("/", ".gateway.networking.k8s.io/");
