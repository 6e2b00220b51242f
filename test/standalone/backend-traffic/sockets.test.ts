import { execFile } from "node:child_process";
import { createServer, type Http2Server, type Http2Session, type Settings } from "node:http2";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect } from "@jest/globals";
import type { Backend } from "../../harness/backend.ts";
import { waitFor } from "../../harness/waiting.ts";
import { type TrafficCase, type TrafficPlace, testTrafficCases } from "./world.ts";

/** Settings of sockets, names and HTTP/2, as the kernel, the host's names and a backend see them. */

const run = promisify(execFile);

/** What the kernel says of connections that Envoy has to a backend. */
async function socketsTo({ backends }: TrafficPlace): Promise<string> {
  const { stdout } = await run("ss", ["-tmnoH", "state", "established", `dport = :${backends[0]?.port}`]);
  return stdout;
}

/** A server that notes what clients say of HTTP/2 itself. */
let server: Http2Server;
const settings: Settings[] = [];
let pings = 0;

beforeAll(async () => {
  server = createServer((_request, response) => response.end());
  server.on("session", (session: Http2Session) => {
    session.on("remoteSettings", (each) => settings.push(each));
    session.on("ping", () => {
      pings++;
    });
    session.on("error", () => session.destroy());
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
});

afterAll(() => {
  server?.close();
});

/** A backend that Envoy finds by a name of this host. */
function byName(name: string) {
  return (id: string, backends: readonly Backend[]) => ({
    objects: [
      {
        apiVersion: "gateway.envoyproxy.io/v1alpha1",
        kind: "Backend",
        metadata: { name: id },
        spec: { endpoints: [{ fqdn: { hostname: `${name}.localhost`, port: backends[0]?.port } }] },
      },
    ],
    backendRef: { group: "gateway.envoyproxy.io", kind: "Backend", name: id },
  });
}

const served: TrafficCase["check"] = async ({ send }) => expect((await send()).status).toBe(200);

testTrafficCases([
  {
    name: "connection.socketBufferLimit",
    spec: { connection: { socketBufferLimit: "20Ki" } },
    check: async (place, world) => {
      await served(place, world);
      // The kernel doubles what it is told, for its own use.
      expect(await socketsTo(place)).toMatch(/skmem:\(r\d+,rb40960,t\d+,tb40960,/);
    },
  },
  {
    name: "http2",
    spec: {
      http2: {
        initialStreamWindowSize: "100Ki",
        maxConcurrentStreams: 7,
        connectionKeepalive: { interval: "200ms", timeout: "100ms" },
      },
    },
    ports: () => [(server.address() as AddressInfo).port],
    appProtocol: "kubernetes.io/h2c",
    check: async ({ send }) => {
      expect((await send()).status).toBe(200);
      expect(settings.map(({ initialWindowSize }) => initialWindowSize)).toContain(102_400);
      await waitFor("pings", () => pings > 1);
    },
  },
  {
    name: "dns.dnsRefreshRate",
    spec: { dns: { dnsRefreshRate: "200ms", respectDnsTtl: false } },
    leadsTo: byName("often"),
    check: async (place, world) => {
      await served(place, world);
      // Look-ups themselves are in no statistic that is kept.
      const dump = await world.admin("/config_dump");
      expect(dump).toMatch(/"dns_refresh_rate": "0.200s"/);
    },
  },
]);
