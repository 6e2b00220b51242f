import { describe, expect, test } from "@jest/globals";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import { Route, RouteList, VirtualHost } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { resourceToJson } from "../envoy/json.ts";
import type { RouteEntry } from "./route-order.ts";
import { translateRouteTable } from "./route-table.ts";
import { type EncodedVirtualHost, type TreeLimits, translateVirtualHost } from "./virtual-host.ts";

const tree = { listRoutesMax: 0, leafRoutesMax: 2, growthMax: 100 };

function entry(index: number, path: string, change: Partial<RouteEntry> = {}): RouteEntry {
  const match = path === "/" ? { prefix: "/" } : { pathSeparatedPrefix: path };
  const route: Route = { name: `r${index}`, match, route: { cluster: `c${index}` } };
  return {
    order: { rank: path.length, tie: "", sequence: index },
    path: { type: "PathPrefix", value: path },
    conditional: false,
    bytes: Route.encode(route).finish(),
    clusters: [`c${index}`],
    matchKey: path,
    matchHash: index,
    origin: `HTTPRoute/default/r${index}`,
    hash: `${index}:${path}`,
    ...change,
  };
}

/** Each entry from a route of its own. */
function translate(
  table: string,
  host: string,
  entries: readonly RouteEntry[],
  limits?: TreeLimits,
): EncodedVirtualHost {
  return translateVirtualHost(
    table,
    host,
    entries.map((one) => [one]),
    limits && { limits },
  );
}

function bytesOf(host: EncodedVirtualHost): Buffer {
  const field = Buffer.concat(host.field);
  return field.subarray(field.byteLength - host.byteLength);
}

function decode(host: EncodedVirtualHost): VirtualHost {
  const bytes = bytesOf(host);
  expect(bytes.byteLength).toBe(host.byteLength);
  return VirtualHost.decode(bytes);
}

function listOf(action: { typedConfig?: { value?: Uint8Array } } | undefined): (string | undefined)[] {
  return RouteList.decode(action?.typedConfig?.value ?? new Uint8Array()).routes?.map(({ name }) => name) ?? [];
}

describe("a virtual host", () => {
  test("with few routes lists them in order", () => {
    const host = decode(translate("default/gw/web", "*.example.com", [entry(0, "/"), entry(1, "/longer")]));
    expect(host.name).toBe("default/gw/web/*_example_com");
    expect(host.domains).toEqual(["*.example.com"]);
    expect(host.routes?.map(({ name }) => name)).toEqual(["r1", "r0"]);
    expect(host.matcher).toBeUndefined();
  });

  test("with many routes is a tree of lists", () => {
    const regex = entry(9, "/v[0-9]+", { path: { type: "RegularExpression", value: "/v[0-9]+" } });
    const entries = [entry(0, "/"), entry(1, "/a"), entry(2, "/a/x"), entry(3, "/a/y"), entry(4, "/b"), regex];
    const host = decode(translate("t", "*", entries, tree));
    expect(host.routes).toEqual([]);
    const map = host.matcher?.matcherTree?.prefixMatchMap?.map ?? {};
    const lists = Object.fromEntries(Object.entries(map).map(([key, match]) => [key, listOf(match.action)]));
    // r1 takes all that comes to the key below it, so r0 is not asked there.
    expect(lists).toEqual({ "/": ["r9", "r4", "r0"], "/a": ["r9", "r1", "r0"], "/a/": ["r9", "r2", "r3", "r1"] });
    expect(listOf(host.matcher?.onNoMatch?.action)).toEqual(["r9"]);
  });

  test.each([
    ["list", { ...tree, listRoutesMax: 1_000 }],
    ["tree", tree],
  ])("as a %s has the bytes that the generated encoder writes", (_shape, limits) => {
    const entries = Array.from({ length: 300 }, (_, index) => entry(index, `/${"long".repeat(index % 40)}/${index}`));
    const host = translate("t", "www.example.com", entries, limits);
    const bytes = bytesOf(host);
    expect(Buffer.from(VirtualHost.encode(VirtualHost.decode(bytes)).finish()).equals(bytes)).toBe(true);
  });

  test("does not depend on the order in which its entries come", () => {
    const entries = Array.from({ length: 50 }, (_, index) => entry(index, `/${index % 7}/${index}`));
    for (const limits of [{ ...tree, listRoutesMax: 100 }, tree]) {
      const one = translate("t", "*", entries, limits);
      const other = translate("t", "*", entries.toReversed(), limits);
      expect(other.hash).toBe(one.hash);
      expect(bytesOf(other).equals(bytesOf(one))).toBe(true);
    }
  });

  test("has another hash when a route changes, comes or goes", () => {
    const entries = Array.from({ length: 10 }, (_, index) => entry(index, `/${index}`));
    const changed = [...entries.slice(1), entry(0, "/0", { hash: "changed" })];
    for (const limits of [{ ...tree, listRoutesMax: 100 }, tree]) {
      const { hash } = translate("t", "*", entries, limits);
      expect(translate("t", "*", changed, limits).hash).not.toBe(hash);
      expect(translate("t", "*", entries.slice(1), limits).hash).not.toBe(hash);
    }
  });

  test("reports routes that match the same requests, the winner first, and not routes of one object or of unequal hostnames", () => {
    const same = { matchKey: "same", matchHash: 7, order: { rank: 5, tie: "", sequence: 0 } };
    const winner = entry(0, "/x", { ...same, origin: "HTTPRoute/default/first" });
    const loser = entry(1, "/x", {
      ...same,
      order: { ...same.order, tie: "later" },
      origin: "HTTPRoute/default/second",
    });
    const sibling = entry(2, "/x", { ...same, order: { ...same.order, sequence: 3 }, origin: winner.origin });
    const wider = entry(3, "/x", { ...same, order: { ...same.order, rank: 1 }, origin: "HTTPRoute/default/wider" });
    const collision = entry(4, "/other", { matchHash: 7 });
    const { overlaps } = translate("t", "*", [loser, sibling, collision, wider, winner]);
    expect(overlaps).toEqual([{ a: "HTTPRoute/default/first", b: "HTTPRoute/default/second", matchKey: "same" }]);
  });
});

describe("a route table", () => {
  const hosts = ["b.example.com", "a.example.com", "*"].map((host, index) =>
    translate("default/gw/web", host, [entry(index, "/")]),
  );

  test("joins hosts by name and answers for hostnames without routes", () => {
    const table = translateRouteTable("default/gw/web", hosts, ["*.example.com", "*"]);
    const json = resourceToJson(table);
    expect(json).toMatchObject({
      name: "default/gw/web",
      ignorePortInHostMatching: true,
      virtualHosts: [
        { domains: ["*"], routes: [{ name: "r2" }] },
        { name: "default/gw/web/*_example_com", domains: ["*.example.com"] },
        { domains: ["a.example.com"], routes: [{ name: "r1" }] },
        { domains: ["b.example.com"], routes: [{ name: "r0" }] },
      ],
    });
    expect(table.clusters.flat().sort()).toEqual(["c0", "c1", "c2"]);
  });

  test("has the bytes that the generated encoder writes", () => {
    const table = translateRouteTable("default/gw/web", hosts, ["*.example.com"]);
    const bytes = Buffer.concat(table.chunks);
    expect(bytes.byteLength).toBe(table.byteLength);
    expect(Buffer.from(RouteConfiguration.encode(RouteConfiguration.decode(bytes)).finish()).equals(bytes)).toBe(true);
  });

  test("has one version for one content and shares the hosts' bytes with the version before", () => {
    const table = translateRouteTable("t", hosts, []);
    expect(translateRouteTable("t", hosts.toReversed(), []).version).toBe(table.version);
    const [first, ...others] = hosts;
    const edited = translate("default/gw/web", first?.host ?? "", [entry(7, "/new")]);
    const next = translateRouteTable("t", [...others, edited], []);
    expect(next.version).not.toBe(table.version);
    expect(next.chunks.filter((chunk) => table.chunks.includes(chunk))).toHaveLength(3);
    expect(translateRouteTable("t", others, []).version).not.toBe(table.version);
  });
});
