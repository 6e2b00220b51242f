import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { HOST_BUCKETS } from "../../src/translate/host-buckets.ts";
import { createAuthority } from "../harness/certificates.ts";
import { send } from "../harness/client.ts";
import { gatewayYaml, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { type Load, startLoad } from "../harness/load.ts";
import { freePort } from "../harness/ports.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** A route table so large that it is served in buckets of hosts, which nobody may notice: not when it becomes one nor when it ceases to be. */

const FILES = 16;
const HOSTS_OF_FILE = 100;
/** More than 1,500 hosts with all files. */
const SMALL_FILES = 9;
const LIMIT_MS = 60_000;
const SETTLE_MS = 1_000;

let world: World;
let httpsPort = 0;
const authority = createAuthority();

const hostAt = (file: number, index: number) => `app-${index}.team-${file}.example.com`;
const routes = (file: number) =>
  Array.from({ length: HOSTS_OF_FILE }, (_, index) =>
    routeYaml(`app-${file}-${index}`, hostAt(file, index), `[{backendRefs: [${toBackend("one")}]}]`),
  ).join("---");

function write(from: number, to: number): void {
  for (let file = from; file < to; file++) world.files.writeAtomically(`routes-${file}.yaml`, routes(file));
}

beforeAll(async () => {
  world = await createWorld();
  httpsPort = await freePort();
  const pair = authority.issue({ dnsNames: ["*.example.com", "*.team-0.example.com", "other.org"] });
  world.files.writeAtomically("secret.yaml", tlsSecretYaml({ name: "pair", ...pair }));
  const https = `protocol: HTTPS, port: ${httpsPort}, tls: {certificateRefs: [{name: pair}]}`;
  const listeners = [
    `{name: http, protocol: HTTP, port: ${world.port}}`,
    `{name: https, ${https}, hostname: "*.example.com"}`,
    `{name: other, ${https}, hostname: other.org}`,
  ];
  world.files.writeAtomically("gateway.yaml", gatewayYaml({ name: "web", listeners: `[${listeners.join()}]` }));
  const backends = await Promise.all(["one", "wide", "narrow", "other"].map((name) => world.backend(name)));
  const names = ["one", "wide", "narrow", "other"];
  world.files.writeAtomically(
    "backends.yaml",
    names.map((name, i) => backendYaml(name, backends[i]!.port)).join("---\n"),
  );
  const to = (name: string) => `[{backendRefs: [${toBackend(name)}]}]`;
  world.files.writeAtomically("wide.yaml", routeYaml("wide", "*.example.com", to("wide")));
  world.files.writeAtomically("narrow.yaml", routeYaml("narrow", "*.team-1.example.com", to("narrow")));
  write(0, SMALL_FILES);
  await world.until({ host: hostAt(SMALL_FILES - 1, 99) }, ({ received }) => received?.backend === "one", LIMIT_MS);
}, LIMIT_MS);

afterAll(() => world?.stop(), LIMIT_MS);

async function scopes(): Promise<number> {
  const dump = JSON.parse(await (await world.gatehouse().envoyAdmin()).admin("/config_dump?resource=&mask="));
  return (dump.configs ?? [])
    .filter((each: { "@type": string }) => each["@type"].endsWith("ScopedRoutesConfigDump"))
    .flatMap((each: { dynamic_scoped_route_configs?: { scoped_route_configs: unknown[] }[] }) =>
      (each.dynamic_scoped_route_configs ?? []).flatMap((config) => config.scoped_route_configs),
    ).length;
}

const targets = Array.from({ length: 50 }, (_, i) => ({ host: hostAt(i % SMALL_FILES, i), path: "/" }));

/** The table grows or shrinks under traffic of all sorts, of which none may fail. */
async function underLoad(change: () => Promise<unknown>): Promise<unknown[]> {
  const styles = ["keep-alive", "new-connections", "http2"] as const;
  const loads: Load[] = [];
  for (const style of styles) loads.push(await startLoad({ port: world.port, targets, style, requestsPerSecond: 100 }));
  await change();
  await pause(SETTLE_MS);
  const reports = await Promise.all(loads.map((load) => load.stop()));
  for (const { requests } of reports) expect(requests).toBeGreaterThan(50);
  return reports.flatMap(({ failures }) => failures);
}

/** What each host comes to; the same in one table and in buckets. */
const cases: readonly [host: string, backend: string | number][] = [
  [hostAt(3, 42), "one"],
  [hostAt(3, 42).toUpperCase(), "one"],
  [`${hostAt(3, 42)}:8080`, "one"],
  ["else.team-1.example.com", "narrow"],
  ["deep.else.team-1.example.com", "narrow"],
  ["ELSE.team-1.Example.com:1", "narrow"],
  ["else.team-2.example.com", "wide"],
  ["example.com", 404],
  ["elsewhere.org", 404],
  ["127.0.0.1", 404],
  ["[::1]:80", 404],
  ["xn--mnchen-3ya.example.com", "wide"],
  ["a_b.example.com", "wide"],
];

/** Over TLS, at the listener of the name. */
async function secureStatus(servername: string, host: string, http: "1.1" | "2"): Promise<number> {
  const tls = { servername, authority: authority.certificate };
  return (await send({ port: httpsPort, host, http, tls })).status;
}

async function expectSecureAnswers(): Promise<void> {
  for (const http of ["1.1", "2"] as const) {
    const name = hostAt(0, 7);
    expect(await secureStatus(name, name, http)).toBe(200);
    expect(await secureStatus(name, "else.example.com", http)).toBe(200);
    // The listener of another name has the certificate for it, and is asked there.
    expect(await secureStatus(name, "other.org", http)).toBe(421);
    expect(await secureStatus("other.org", "other.org", http)).toBe(404);
    expect(await secureStatus("other.org", name, http)).toBe(421);
  }
}

async function answers(): Promise<[string, string | number | undefined][]> {
  const all: [string, string | number | undefined][] = [];
  for (const [host] of cases) {
    const { status, received } = await world.send({ host, headers: { "x-gatehouse-route-table": "mine#1" } });
    all.push([host, received?.backend ?? status]);
    expect(received?.headers["x-gatehouse-route-table"] ?? "mine#1").toBe("mine#1");
    if (received !== undefined) expect(received.headers["host"]).toBe(host);
  }
  return all;
}

test("below the limit it is one table", async () => {
  expect(await answers()).toEqual(cases);
  await expectSecureAnswers();
  expect(await scopes()).toBe(0);
});

test(
  "it grows beyond the limit under traffic, and every host answers as before",
  async () => {
    const failures = await underLoad(async () => {
      write(SMALL_FILES, FILES);
      await world.until({ host: hostAt(FILES - 1, 99) }, ({ received }) => received?.backend === "one", LIMIT_MS);
      await waitFor("the buckets", async () => (await scopes()) === 2 * HOST_BUCKETS, LIMIT_MS);
    });
    expect(failures).toEqual([]);
    expect(await answers()).toEqual(cases);
  },
  2 * LIMIT_MS,
);

test("an edit sends the bucket of its host, and one of a wildcard all of them", async () => {
  const sent = async () => world.gatehouse().metric("gatehouse_xds_resources_sent_total");
  const to = (name: string) => `[{backendRefs: [${toBackend(name)}]}]`;
  let before = await sent();
  world.files.writeAtomically("new.yaml", routeYaml("new", "new.example.com", to("other")));
  await world.until({ host: "new.example.com" }, ({ received }) => received?.backend === "other");
  // The cluster of a backend that nobody had, its endpoints, and the bucket of either table.
  expect((await sent()) - before).toBe(4);
  before = await sent();
  world.files.remove("new.yaml");
  await world.until({ host: "new.example.com" }, ({ received }) => received?.backend === "wide");
  expect((await sent()) - before).toBe(2);
  before = await sent();
  world.files.writeAtomically("narrow.yaml", routeYaml("narrow", "*.team-1.example.com", to("wide")));
  await world.until({ host: "else.team-1.example.com" }, ({ received }) => received?.backend === "wide");
  await waitFor("all buckets", async () => (await sent()) - before === 2 * HOST_BUCKETS);
  world.files.writeAtomically("narrow.yaml", routeYaml("narrow", "*.team-1.example.com", to("narrow")));
  await world.until({ host: "else.team-1.example.com" }, ({ received }) => received?.backend === "narrow");
});

test(
  "after a restart of the control plane nothing is sent",
  async () => {
    await world.gatehouse().kill9();
    const failures = await underLoad(() => world.restart());
    expect(failures).toEqual([]);
    await waitFor("the stream", async () => (await world.gatehouse().metric("gatehouse_xds_streams")) === 1);
    await pause(SETTLE_MS);
    expect(
      await world
        .gatehouse()
        .metric("gatehouse_xds_resources_sent_total")
        .catch(() => 0),
    ).toBe(0);
  },
  LIMIT_MS,
);

test(
  "it shrinks below the limit under traffic, and is one table again",
  async () => {
    const failures = await underLoad(async () => {
      for (let file = SMALL_FILES; file < FILES; file++) world.files.remove(`routes-${file}.yaml`);
      const gone = { host: hostAt(FILES - 1, 99) };
      await world.until(gone, ({ received }) => received?.backend === "wide", LIMIT_MS);
    });
    expect(failures).toEqual([]);
    expect(await answers()).toEqual(cases);
  },
  LIMIT_MS,
);
