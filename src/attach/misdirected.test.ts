import { expect, test } from "@jest/globals";
import { coversHostname } from "./hostname.ts";
import { misdirectedHosts } from "./misdirected.ts";
import type { ListenerPlan } from "./model.ts";

/** A port of HTTPS listeners, each with its hostname as the name of its route table. */
function misdirected(...hostnames: string[]): Record<string, readonly string[]> {
  const listeners = hostnames.map((hostname) => ({
    gateway: "a/gw",
    routeTable: hostname,
    ...(hostname !== "*" && { hostname }),
  })) as unknown as ListenerPlan[];
  return Object.fromEntries(misdirectedHosts({ protocol: "HTTPS", listeners }, []));
}

test.each<[string, string[], Record<string, string[]>]>([
  ["one listener", ["a.com"], {}],
  ["names apart", ["a.com", "b.com"], { "a.com": ["b.com"], "b.com": ["a.com"] }],
  ["a name in a wildcard", ["*.a.com", "x.a.com"], { "*.a.com": ["x.a.com"], "x.a.com": ["*.a.com"] }],
  ["a wildcard does not cover its own suffix", ["*.a.com", "a.com"], { "*.a.com": ["a.com"], "a.com": ["*.a.com"] }],
  ["every host", ["*", "a.com", "b.com"], { "*": ["a.com", "b.com"], "a.com": ["*"], "b.com": ["*"] }],
  [
    "deeper ones follow from those above them",
    ["*", "*.com", "*.a.com", "x.a.com", "y.org"],
    {
      "*": ["*.com", "y.org"],
      "*.com": ["*", "*.a.com"],
      "*.a.com": ["*", "x.a.com"],
      "x.a.com": ["*"],
      "y.org": ["*"],
    },
  ],
  [
    "levels between may be missing",
    ["*.com", "x.y.a.com", "*.org"],
    { "*.com": ["*.org", "x.y.a.com"], "x.y.a.com": ["*.com", "*.org"], "*.org": ["*.com"] },
  ],
])("%s", (_name, hostnames, expected) => {
  expect(misdirected(...hostnames)).toEqual(expected);
});

test("plain HTTP is not concerned, nor a listener that serves nothing", () => {
  const listeners = [
    { gateway: "a/gw", routeTable: "t", hostname: "a.com" },
    { gateway: "a/gw", hostname: "b.com" },
  ] as unknown as ListenerPlan[];
  expect([...misdirectedHosts({ protocol: "HTTP", listeners }, [])]).toEqual([]);
  expect([...misdirectedHosts({ protocol: "HTTPS", listeners }, [])]).toEqual([["t", ["b.com"]]]);
});

/** What the Gateway API says, word by word; Envoy takes the most specific domain of a table. */
test("each host is answered as the most specific of all hostnames says", () => {
  const labels = ["a", "b"];
  const hosts = ["a", "b", "c"].flatMap((first) =>
    ["a", "b", "c"].flatMap((second) => [first, `${second}.${first}`, `c.${second}.${first}`]),
  );
  const names = labels
    .flatMap((x) => [x, `*.${x}`, ...labels.flatMap((y) => [`${y}.${x}`, `*.${y}.${x}`])])
    .concat("*");
  const narrowest = (host: string, among: readonly string[]) =>
    among
      .filter((name) => coversHostname(name, host))
      .sort((x, y) => Number(x.startsWith("*")) - Number(y.startsWith("*")) || y.length - x.length)[0];
  // Every fifth subset is plenty: 2,600 ports.
  for (let subset = 1; subset < 2 ** names.length; subset += 5) {
    const hostnames = names.filter((_name, index) => subset & (1 << index));
    const tables = misdirected(...hostnames);
    for (const own of hostnames) {
      const elsewhere = tables[own] ?? [];
      for (const host of hosts) {
        const owner = narrowest(host, hostnames);
        const domain = narrowest(host, [own, ...elsewhere]);
        const answer = domain === undefined ? 404 : domain === own ? "own" : 421;
        if (answer !== (owner === undefined ? 404 : owner === own ? "own" : 421)) {
          throw new Error(`${host} at ${own} of ${hostnames.join()} gets ${answer}`);
        }
      }
    }
  }
});

test.each<[string, Record<string, [string, ...string[]]>, Record<string, string[]>]>([
  ["strangers with nothing in common", { "a.com": ["one", "a.com"], "b.com": ["two", "b.com"] }, {}],
  [
    "a certificate that is good for a stranger's host",
    { "a.com": ["one", "a.com", "b.com"], "b.com": ["two", "b.com"] },
    { "a.com": ["b.com"] },
  ],
  [
    "a wildcard of a certificate, which is one label",
    { "x.a.com": ["one", "*.a.com"], "y.a.com": ["two"], "y.z.a.com": ["three"], "*.z.a.com": ["four"] },
    { "x.a.com": ["y.a.com"], "*.z.a.com": ["y.z.a.com"], "y.z.a.com": ["*.z.a.com"] },
  ],
  [
    "a certificate for hosts below a stranger's wildcard",
    { "a.com": ["one", "x.b.com"], "*.b.com": ["two"] },
    { "a.com": ["*.b.com"] },
  ],
  [
    "hostnames that one contains, whoever has them",
    { "*.a.com": ["one"], "x.a.com": ["two"] },
    { "*.a.com": ["x.a.com"], "x.a.com": ["*.a.com"] },
  ],
  [
    "strangers beside listeners of the own Gateway",
    { "a.com": ["one"], "b.com": ["one"], "c.com": ["two"] },
    { "a.com": ["b.com"], "b.com": ["a.com"] },
  ],
])("between Gateways: %s", (_name, drawn, expected) => {
  const listeners = Object.entries(drawn).map(([hostname, [gateway]]) => ({
    ...{ gateway, name: hostname, hostname, routeTable: hostname },
  })) as unknown as ListenerPlan[];
  const certificates = Object.entries(drawn).map(([hostname, [gateway, ...dnsNames]]) => ({
    ...{ gateway, name: hostname, secrets: [], dnsNames, problems: [] },
  }));
  expect(Object.fromEntries(misdirectedHosts({ protocol: "HTTPS", listeners }, certificates))).toEqual(expected);
});

test("a host of somebody is answered to the letter however many listeners there are", () => {
  const labels = ["a", "b", "c", "d", "e", "f"];
  const hosts = labels.flatMap((x) => [
    x,
    ...labels.flatMap((y) => [`${y}.${x}`, ...labels.map((z) => `${z}.${y}.${x}`)]),
  ]);
  const wildcards = hosts.map((host) => `*.${host}`);
  const narrowest = (host: string, among: readonly string[]) =>
    [host, ...host.split(".").map((_label, from, all) => `*.${all.slice(from + 1).join(".")}`), "*"].find((name) =>
      among.includes(name),
    );
  for (const step of [2, 3, 5, 7]) {
    const hostnames = [...hosts, ...wildcards.slice(step * 5)].filter((_name, index) => index % step === 1);
    expect(hostnames.length).toBeGreaterThan(64);
    const tables = misdirected(...hostnames);
    const wrong = hostnames.slice(0, 60).flatMap((own) =>
      hosts.flatMap((host) => {
        const owner = narrowest(host, hostnames);
        const domain = narrowest(host, [own, ...(tables[own] ?? [])]);
        return owner === undefined || (owner === own ? domain === own : domain !== own && domain !== undefined)
          ? []
          : [`${host} at ${own}`];
      }),
    );
    expect(wrong).toEqual([]);
  }
});

test("many hostnames elsewhere are covered by few, and one more changes no other table", () => {
  const tenants = (count: number) => Array.from({ length: count }, (_, index) => `tenant-${index}.apps.com`);
  const tables = (hostnames: readonly string[], certificate: string) => {
    const listeners = hostnames.map((hostname) => ({
      ...{ gateway: `${hostname}/gw`, name: "l", hostname, routeTable: hostname },
    })) as unknown as ListenerPlan[];
    const certificates = listeners.map(({ gateway }) => ({
      ...{ gateway, name: "l", secrets: [], dnsNames: [certificate], problems: [] },
    }));
    return misdirectedHosts({ protocol: "HTTPS", listeners }, certificates);
  };
  // 64 with the listener's own are told one by one.
  expect(tables(tenants(64), "*.apps.com").get("tenant-3.apps.com")).toHaveLength(63);
  const [few, more] = [tables(tenants(65), "*.apps.com"), tables(tenants(200), "*.apps.com")];
  expect(few.get("tenant-3.apps.com")).toEqual(["*.apps.com"]);
  for (const [table, hosts] of few) expect(more.get(table)).toEqual(hosts);
  // Hosts that are not a listener's own stay its own, however many there are beside.
  expect(misdirected("*.com", ...tenants(100))["*.com"]).toHaveLength(100);
  expect(misdirected("one", ...tenants(100), "*.b.apps.com")).toMatchObject({
    one: ["*.apps.com"],
    "*.b.apps.com": ["*.apps.com", "one"],
  });
  expect(misdirected(...Array.from({ length: 70 }, (_, index) => `a.b${index}`), "c.d")["c.d"]).toEqual(["*"]);
});
