import { Resolver } from "node:dns/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startLoad } from "../harness/load.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { quickstart, START_LIMIT_MS, STEP_LIMIT_MS, type Status, SYSTEM, startWorld, type World } from "./world.ts";

/** The installation as the README describes it, in a real cluster: manifests, permissions, certificates and pods as they are shipped. */

let world: World;
let address = "";

const kubectl = (...args: string[]) => world.kubectl(...args);
const statusOf = (resource: string) => world.statusOf(resource);
const isTrue = ({ conditions }: Pick<Status, "conditions">, type: string) =>
  conditions?.some((condition) => condition.type === type && condition.status === "True");
const ask = async (path: string, host = "any.example.com") => {
  const response = await fetch(`http://${address}${path}`, { headers: { host }, signal: AbortSignal.timeout(2_000) });
  return { status: response.status, body: await response.text() };
};
const untilAnswered = (path: string, status: number) =>
  waitFor(
    `${status} at ${path}`,
    async () => (await ask(path).catch(() => undefined))?.status === status,
    STEP_LIMIT_MS,
  );

beforeAll(async () => {
  world = await startWorld();
  await world.install("config/default");
  await world.apply(quickstart);
}, START_LIMIT_MS);

afterAll(() => world?.cluster.stop(), START_LIMIT_MS);

test(
  "a GatewayClass, a Gateway and a route are served, and their statuses say so",
  async () => {
    address = await waitFor(
      "an address",
      async () => (await statusOf("gateway/eg")).addresses?.[0]?.value,
      STEP_LIMIT_MS,
    );
    await untilAnswered("/hello", 200);
    expect(JSON.parse((await ask("/hello")).body)).toMatchObject({ path: "/hello" });
    await waitFor("Programmed", async () => isTrue(await statusOf("gateway/eg"), "Programmed"), STEP_LIMIT_MS);
    const route = await statusOf("httproute/echo");
    expect(route.parents?.map(({ conditions }) => isTrue({ conditions }, "Accepted"))).toEqual([true]);
    expect(await kubectl("get", "gateway", "eg")).toMatch(new RegExp(`eg +gatehouse +${address} +True`));
    const finalizers = await kubectl("get", "gatewayclass", "gatehouse", "-o", "jsonpath={.metadata.finalizers}");
    expect(finalizers).toContain("gateway-exists-finalizer.gateway.networking.k8s.io");
  },
  STEP_LIMIT_MS,
);

test(
  "a Gateway is reached by the name that it has in its own namespace",
  async () => {
    const resolver = new Resolver();
    resolver.setServers([world.cluster.addresses.node]);
    const resolved = () => resolver.resolve4("eg-gatehouse.default.svc.cluster.local").catch(() => []);
    const [clusterAddress] = await waitFor("the name", async () => {
      const found = await resolved();
      return found.length > 0 && found;
    });
    expect((await fetch(`http://${clusterAddress}/hello`)).status).toBe(200);
  },
  STEP_LIMIT_MS,
);

test(
  "a Gateway has the address that it asks for, or says that it cannot have it",
  async () => {
    const { slot } = world.cluster.addresses;
    const asked = { elsewhere: "192.0.2.1", ours: `10.${slot}.191.250` };
    const askFor = (value: string) => {
      const spec = { addresses: [{ type: "IPAddress", value }] };
      return kubectl("patch", "gateway", "eg", "--type=merge", "-p", JSON.stringify({ spec }));
    };
    const programmed = () => world.condition("gateway/eg", "Programmed");
    await askFor(asked.elsewhere);
    await waitFor("the refusal", async () => (await programmed())?.reason === "AddressNotUsable", STEP_LIMIT_MS);
    expect((await programmed())?.message).toContain(asked.elsewhere);
    await askFor(asked.ours);
    await waitFor("the address", async () => (await programmed())?.status === "True", STEP_LIMIT_MS);
    expect((await statusOf("gateway/eg")).addresses).toEqual([{ type: "IPAddress", value: asked.ours }]);
    address = asked.ours;
    await untilAnswered("/hello", 200);
  },
  STEP_LIMIT_MS,
);

test(
  "an edited route is in effect without a failed request",
  async () => {
    const load = await startLoad({ address, port: 80, path: "/hello" });
    const patch = JSON.stringify([
      { op: "add", path: "/spec/rules/-", value: { matches: [{ path: { value: "/gone" } }], filters: [redirect] } },
    ]);
    await kubectl("patch", "httproute", "echo", "--type=json", "-p", patch);
    await waitFor("the redirect", async () => {
      const response = await fetch(`http://${address}/gone`, { redirect: "manual" });
      return response.status === 302;
    });
    expect((await load.stop()).failures).toEqual([]);
  },
  STEP_LIMIT_MS,
);

const redirect = { type: "RequestRedirect", requestRedirect: { hostname: "elsewhere.example.com", statusCode: 302 } };

test(
  "a killed operator loses no request, and its successor sends nothing and writes no status",
  async () => {
    const versions = () =>
      kubectl("get", "gateway,httproute,gatewayclass", "-A", "-o", "jsonpath={.items[*].metadata.resourceVersion}");
    const before = await versions();
    const load = await startLoad({ address, port: 80, path: "/hello" });
    await kubectl("delete", "pod", "-n", SYSTEM, "-l", "app.kubernetes.io/name=gatehouse", "--grace-period=1");
    await kubectl("rollout", "status", "-n", SYSTEM, "deployment/gatehouse", "--timeout=60s");
    const metric = await waitFor(
      "Envoy to come back",
      async () => {
        const figures = await operatorMetrics();
        return (figures("gatehouse_xds_streams") ?? 0) > 0 && (figures("gatehouse_leader") ?? 0) > 0
          ? figures
          : undefined;
      },
      STEP_LIMIT_MS,
    );
    await pause(2_000);
    expect((await load.stop()).failures).toEqual([]);
    expect(metric("gatehouse_xds_resources_sent_total")).toBe(0);
    expect(metric("gatehouse_certificate_expiry_timestamp_seconds")).toBeGreaterThan(Date.now() / 1000);
    expect(await versions()).toBe(before);
  },
  STEP_LIMIT_MS,
);

/** Of the one replica, through its pod's address. */
async function operatorMetrics(): Promise<(name: string) => number | undefined> {
  const selector = ["-l", "app.kubernetes.io/name=gatehouse", "--field-selector=status.phase=Running"];
  const ip = await kubectl("get", "pods", "-n", SYSTEM, ...selector, "-o", "jsonpath={.items[0].status.podIP}");
  const text = await fetch(`http://${ip}:19001/metrics`).then(
    (response) => response.text(),
    () => "",
  );
  return (name) => {
    const line = text.split("\n").find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{`));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(" ") + 1));
  };
}

test(
  "a deleted Gateway leaves nothing behind",
  async () => {
    await kubectl("delete", "gateway", "eg");
    await waitFor(
      "its objects to be gone",
      async () =>
        (await kubectl("get", "deploy,svc,cm,sa", "-n", SYSTEM, "-l", "gatehouse.dev/installation", "-o", "name")) ===
        "",
      STEP_LIMIT_MS,
    );
    const names = () => kubectl("get", "svc", "-n", "default", "-l", "gatehouse.dev/installation", "-o", "name");
    await waitFor("its name to be gone", async () => (await names()) === "", STEP_LIMIT_MS);
    await kubectl("delete", "gatewayclass", "gatehouse", "--timeout=30s");
  },
  STEP_LIMIT_MS,
);
