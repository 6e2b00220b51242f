import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { startLoad } from "../harness/load.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import {
  askDatagram,
  askStream,
  type StreamBackend,
  startDatagramBackend,
  startStreamBackend,
} from "./stream-backends.ts";
import { toYaml } from "./traffic-world.ts";
import { createWorld, type World } from "./world.ts";

/** What becomes of traffic where a ClientTrafficPolicy comes, changes, or cannot do what it says, with the real Envoy. */

jest.setTimeout(30_000);

const group = "gateway.networking.k8s.io";
const owner = "gateway.envoyproxy.io";

let world: World;
let ports: Readonly<Record<"http" | "tcp" | "udp" | "tls", number>>;
const streams: StreamBackend[] = [];

const object = (kind: string, name: string, spec: object) => ({
  apiVersion: ["Backend", "ClientTrafficPolicy"].includes(kind) ? `${owner}/v1alpha1` : `${group}/v1`,
  kind,
  metadata: { name },
  spec,
});
const route = (kind: string, sectionName: string, backend: string, hostnames?: readonly string[]) =>
  object(kind, sectionName, {
    parentRefs: [{ name: "clients", ...(kind !== "HTTPRoute" && { sectionName }) }],
    ...(hostnames && { hostnames }),
    rules: [{ backendRefs: [{ group: owner, kind: "Backend", name: backend }] }],
  });

/** @param sections none: the Gateway as a whole */
const policy = (name: string, sections: readonly string[], settings: object) => {
  const target = { group, kind: "Gateway", name: "clients" };
  const targetRefs = sections.length === 0 ? [target] : sections.map((sectionName) => ({ ...target, sectionName }));
  world.files.writeAtomically(
    `${name}.yaml`,
    toYaml([object("ClientTrafficPolicy", name, { targetRefs, ...settings })]),
  );
};
const bad = { http2: { onInvalidMessage: "Whatever" } };
const status = async (host: string) => (await world.send({ port: ports.http, host })).status;
const statuses = () => Promise.all(["a.wide.test", "narrow.wide.test", "other.test"].map(status));
const becomes = (...wanted: readonly number[]) =>
  waitFor(`statuses ${wanted.join()}`, async () => {
    expect(await statuses()).toEqual(wanted);
    return true;
  });

/** What a policy says of all places, with `Accepted=True` left out. */
async function complaints(name: string): Promise<string> {
  const { objects } = JSON.parse(await world.gatehouse().admin("/status")) as {
    readonly objects: Readonly<
      Record<string, { ancestors?: { conditions: { type: string; status: string; message: string }[] }[] }>
    >;
  };
  return (objects[`ClientTrafficPolicy/default/${name}`]?.ancestors ?? [])
    .flatMap(({ conditions }) => conditions)
    .filter(({ type, status: value }) => type !== "Accepted" || value !== "True")
    .map(({ type, status: value, message }) => `${type}=${value}: ${message}`)
    .join("\n");
}

beforeAll(async () => {
  world = await createWorld();
  ports = { http: await freePort(), tcp: await freePort(), udp: await freePort(), tls: await freePort() };
  const { port } = await world.backend("app");
  streams.push(await startStreamBackend("bytes"), await startDatagramBackend("datagrams"));
  const at = (name: string, on: number | undefined) =>
    object("Backend", name, { endpoints: [{ ip: { address: "127.0.0.1", port: on } }] });
  const passed = { protocol: "TLS", port: ports.tls, tls: { mode: "Passthrough" } };
  world.files.writeAtomically(
    "clients.yaml",
    toYaml([
      object("Gateway", "clients", {
        gatewayClassName: "gatehouse",
        allowedListeners: { namespaces: { from: "Same" } },
        listeners: [
          { name: "wide", protocol: "HTTP", port: ports.http, hostname: "*.wide.test" },
          { name: "narrow", protocol: "HTTP", port: ports.http, hostname: "narrow.wide.test" },
          { name: "any", protocol: "HTTP", port: ports.http },
          { name: "tcp", protocol: "TCP", port: ports.tcp },
          { name: "udp", protocol: "UDP", port: ports.udp },
          { name: "pass", hostname: "*.pass.test", ...passed },
          { name: "inner", hostname: "inner.pass.test", ...passed },
        ],
      }),
      route("HTTPRoute", "all", "app"),
      route("TCPRoute", "tcp", "bytes"),
      route("UDPRoute", "udp", "datagrams"),
      route("TLSRoute", "pass", "bytes", ["*.pass.test"]),
      at("app", port),
      at("bytes", streams[0]?.port),
      at("datagrams", streams[1]?.port),
    ]),
  );
  await becomes(200, 200, 200);
  await waitFor("the streams", async () => {
    expect([await askStream(ports.tcp), await askDatagram(ports.udp)]).toEqual(["bytes", "datagrams"]);
    return true;
  });
}, 60_000);

afterAll(async () => {
  await world?.stop();
  await Promise.all(streams.map((one) => one.stop()));
}, 30_000);

test("a bad policy shuts the listener that it names, and none beside it on the port", async () => {
  policy("bad", ["wide"], bad);
  await becomes(500, 200, 200);
  // The broadest one: what others have is still theirs.
  policy("bad", ["any"], bad);
  await becomes(200, 200, 500);
  // What the Gateway has as a whole is served all the while.
  policy("whole", [], { headers: { lateResponseHeaders: { set: [{ name: "x-policy", value: "whole" }] } } });
  await world.until({ port: ports.http, host: "a.wide.test" }, ({ headers }) => headers["x-policy"] === "whole");
  await becomes(200, 200, 500);
  world.files.remove("bad.yaml");
  await becomes(200, 200, 200);
  policy("whole", [], bad);
  await becomes(500, 500, 500);
  world.files.remove("whole.yaml");
  await becomes(200, 200, 200);
});

test("a bad policy of the Gateway leaves those on its ports alone who have a good one", async () => {
  const listeners = [{ name: "team", protocol: "HTTP", port: ports.http, hostname: "team.test" }];
  const kind = "ListenerSet";
  const team = object("ClientTrafficPolicy", "team", {
    targetRefs: [{ group, kind, name: "team" }],
    headers: { lateResponseHeaders: { set: [{ name: "x-policy", value: "team" }] } },
  });
  const parentRefs = [{ group, kind, name: "team" }];
  const rules = [{ backendRefs: [{ group: owner, kind: "Backend", name: "app" }] }];
  world.files.writeAtomically(
    "team.yaml",
    toYaml([
      object(kind, "team", { parentRef: { name: "clients" }, listeners }),
      object("HTTPRoute", "team", { parentRefs, rules }),
      team,
    ]),
  );
  policy("whole", [], bad);
  await becomes(500, 500, 500);
  const { headers, status: served } = await world.until(
    { port: ports.http, host: "team.test" },
    (answer) => answer.status === 200,
  );
  expect([served, headers["x-policy"]]).toEqual([200, "team"]);
  world.files.remove("team.yaml");
  world.files.remove("whole.yaml");
  await becomes(200, 200, 200);
});

test("a policy of one listener of a shared port closes that listener alone, and says so", async () => {
  policy("part", ["narrow"], { headers: { enableEnvoyHeaders: true } });
  await becomes(200, 500, 200);
  await waitFor("the status", async () => /Accepted=False: .*answered with 500/.test(await complaints("part")));
  // With one for the whole that one is in effect, and does not say that another takes its place.
  policy("whole", [], { headers: { lateResponseHeaders: { set: [{ name: "x-policy", value: "whole" }] } } });
  await world.until({ port: ports.http, host: "narrow.wide.test" }, ({ headers }) => headers["x-policy"] === "whole");
  expect(await complaints("part")).toContain("default/whole is in effect");
  expect(await complaints("whole")).toBe("");
  world.files.remove("part.yaml");
  world.files.remove("whole.yaml");
  await becomes(200, 200, 200);
});

test("a bad policy closes listeners of connections, and none beside them", async () => {
  policy("bad", ["tcp", "udp", "inner"], bad);
  await waitFor("the port to be closed", async () => (await askStream(ports.tcp)) === "refused");
  // Nothing of the policy would be about datagrams.
  expect(await askDatagram(ports.udp)).toBe("datagrams");
  world.files.remove("bad.yaml");
  await waitFor("the port to be opened", async () => (await askStream(ports.tcp)) === "bytes");
});

test.each(["keep-alive", "http2"] as const)("policies that come, change and go lose no request (%s)", async (style) => {
  const load = await startLoad({ port: ports.http, host: "a.wide.test", connections: 8, style });
  const marked = (value: string) => ({ headers: { lateResponseHeaders: { set: [{ name: "x-policy", value }] } } });
  for (const value of ["1", "2", "3"]) {
    // A setting of the port makes another Listener, which takes over the socket.
    policy("whole", [], { ...marked(value), connection: { bufferLimit: `${value}Mi` } });
    await world.until({ port: ports.http, host: "a.wide.test" }, ({ headers }) => headers["x-policy"] === value);
    const { succeeded } = await load.report();
    await waitFor("requests after the edit", async () => (await load.report()).succeeded >= succeeded + 20);
  }
  policy("whole", [], { http2: { maxConcurrentStreams: 10 } });
  await world.until({ port: ports.http, host: "a.wide.test" }, ({ headers }) => headers["x-policy"] === undefined);
  world.files.remove("whole.yaml");
  await becomes(200, 200, 200);
  const { failures, succeeded } = await load.stop();
  expect(failures).toEqual([]);
  expect(succeeded).toBeGreaterThan(60);
});
