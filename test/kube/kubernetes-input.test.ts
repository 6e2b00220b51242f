import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { CollectionName } from "../../src/api/kinds.ts";
import { followedKinds } from "../../src/inputs/kubernetes/followed-kinds.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { waitFor } from "../harness/waiting.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { gatewayApiCrds, installCrds } from "./gateway-api.ts";
import { applyTo, connectTo, type Mirror, type MirrorOptions, startMirror, untilEqual } from "./input-world.ts";
import { GATEWAY_API, gateway, gatewayClass, namespace, route } from "./objects.ts";

// A machine that does other things as well takes its time.
jest.setTimeout(60_000);

let server: ApiServer;
const mirrors: Mirror[] = [];
const proxies: FaultProxy[] = [];

beforeAll(async () => {
  server = await startApiServer();
  await installCrds(server, "standard");
  await apply(namespace("team-a"));
}, 180_000);
afterAll(() => server?.stop());
afterEach(async () => {
  for (const mirror of mirrors.splice(0)) await mirror.stop();
  for (const proxy of proxies.splice(0)) await proxy.close();
});

const direct = () => ({ url: server.url, token: server.adminToken, caCertificate: server.caCertificate });

const apply = (...objects: readonly object[]) => applyTo(server, ...objects);

async function start(options: Partial<MirrorOptions> = {}): Promise<Mirror> {
  const mirror = startMirror({ ...direct(), ...options });
  mirrors.push(mirror);
  await waitFor("the input to be synced", () => mirror.synced === 1);
  return mirror;
}

const ROUTES = "/apis/gateway.networking.k8s.io/v1/httproutes";

test("every kind that is served is asked for by the plural that the server uses", async () => {
  const client = connectTo(direct());
  const served = await client.discovery();
  await client.close();
  if (!served.ok) throw new Error(served.error.message);
  const found = followedKinds.map(({ group, kind, versions }) => served.value.find(group, versions[0], kind));
  expect(found.filter((type) => type !== undefined).length).toBeGreaterThan(10);
  for (const [index, type] of found.entries()) {
    const { plural, namespaced } = followedKinds[index]!;
    if (type !== undefined)
      expect({ plural: type.plural, namespaced: type.namespaced }).toEqual({ plural, namespaced });
  }
});

test("the installed version of Gateway API is told, and told again when it changes", async () => {
  const of = await start();
  expect(of.installedApi).toEqual([{ bundleVersions: ["v1.6.3"], channel: "standard", absentKinds: [] }]);
  const crd = "gatewayclasses.gateway.networking.k8s.io";
  const annotate = (version: string) =>
    server.kubectl(["annotate", "--overwrite", "crd", crd, `gateway.networking.k8s.io/bundle-version=${version}`]);
  await annotate("v1.7.0");
  await waitFor("the new version", () => of.installedApi.at(-1)?.bundleVersions[0] === "v1.7.0");
  await annotate("v1.6.3");
  // Older releases have no such field in the standard channel.
  const path = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/supportedFeatures";
  await server.kubectl(["patch", "crd", crd, "--type=json", "-p", JSON.stringify([{ op: "remove", path }])]);
  await waitFor("the older kind", () => of.installedApi.at(-1)?.withoutFeatures === true);
  await server.kubectl(["apply", "--server-side", "--force-conflicts", "-f", gatewayApiCrds("standard")]);
  await waitFor("the present kind", () => of.installedApi.at(-1)?.withoutFeatures === undefined);
});

describe("objects", () => {
  test("of every kind arrive as the server has them, none refused", async () => {
    await apply(
      gatewayClass("gatehouse"),
      gateway("web"),
      route("web"),
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "app", namespace: "default" },
        spec: { ports: [{ port: 80 }] },
      },
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name: "app-1", namespace: "default", labels: { "kubernetes.io/service-name": "app" } },
        addressType: "IPv4",
        endpoints: [],
        ports: [],
      },
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "password", namespace: "default" },
        stringData: { value: "secret" },
      },
      {
        apiVersion: "gateway.networking.k8s.io/v1beta1",
        kind: "ReferenceGrant",
        metadata: { name: "grant", namespace: "default" },
        spec: { from: [{ group: "", kind: "Gateway", namespace: "team-a" }], to: [{ group: "", kind: "Secret" }] },
      },
      {
        apiVersion: "gateway.envoyproxy.io/v1alpha1",
        kind: "Backend",
        metadata: { name: "outside", namespace: "default" },
        spec: { endpoints: [{ fqdn: { hostname: "example.com", port: 443 } }] },
      },
    );
    const mirror = await start();
    const expected: [CollectionName, string][] = [
      ["gatewayClasses", "gatehouse"],
      ["gateways", "default/web"],
      ["httpRoutes", "default/web"],
      ["services", "default/app"],
      ["endpointSlices", "default/app-1"],
      ["secrets", "default/password"],
      ["referenceGrants", "default/grant"],
      ["backends", "default/outside"],
      ["namespaces", "team-a"],
    ];
    for (const [collection, key] of expected)
      expect([collection, mirror.keys(collection)]).toEqual([collection, expect.arrayContaining([key])]);
    expect([...mirror.problems.values()]).toEqual([]);
    expect(mirror.get("httpRoutes", "default/web")?.metadata).not.toHaveProperty("managedFields");
  });

  test("a new status is shown, but is no change of the object", async () => {
    await apply(route("statused"));
    const mirror = await start();
    const before = mirror.get("httpRoutes", "default/statused");
    const path = `/apis/${GATEWAY_API}/namespaces/default/httproutes/statused/status`;
    const condition = {
      type: "Accepted",
      status: "True",
      reason: "Accepted",
      message: "",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    const parent = { parentRef: { name: "web" }, controllerName: "example.com/other", conditions: [condition] };
    const body = { status: { parents: [parent] } };
    await server.rest.json(path, { method: "PATCH", contentType: "application/merge-patch+json", body });
    await waitFor("the status", () =>
      JSON.stringify(mirror.observed("httpRoutes", "default/statused")).includes("example.com/other"),
    );
    expect(mirror.get("httpRoutes", "default/statused")).toBe(before);
    const relabelled = { metadata: { labels: { team: "a" } } };
    await server.rest.json(path.replace(/.status$/, ""), {
      method: "PATCH",
      contentType: "application/merge-patch+json",
      body: relabelled,
    });
    await waitFor("the label", () => mirror.get("httpRoutes", "default/statused")?.metadata.labels?.["team"] === "a");
  });

  test("that our validators refuse cost only themselves, and keep their last good version", async () => {
    // A CRD without a schema stands for anything that we know better than the server.
    await server.kubectl(["delete", "crd", "httproutefilters.gateway.envoyproxy.io", "--wait=true"]);
    await apply(looseCrd);
    await server.kubectl(["wait", "--for=condition=Established", "crd/httproutefilters.gateway.envoyproxy.io"]);
    await apply(
      filter("good", { urlRewrite: { hostname: { type: "Backend" } } }),
      filter("bad", { urlRewrite: { hostname: 7 } }),
    );
    const mirror = await start();
    const keys = () => mirror.keys("httpRouteFilters");
    expect(keys()).toEqual(["default/good"]);
    expect(mirror.problems.get("httpRouteFilters default/bad")).toMatchObject({
      severity: "error",
      keepsPrevious: false,
    });
    await apply(filter("good", { urlRewrite: { hostname: 7 } }));
    await waitFor("the problem", () => mirror.problems.get("httpRouteFilters default/good"));
    expect(mirror.problems.get("httpRouteFilters default/good")).toMatchObject({
      severity: "error",
      keepsPrevious: true,
    });
    expect(keys()).toEqual(["default/good"]);
    await apply(filter("bad", { urlRewrite: { hostname: { type: "Backend" } }, ofTheFuture: true }));
    await waitFor("the other to be mended", () => keys().length === 2);
    expect(mirror.problems.get("httpRouteFilters default/bad")).toMatchObject({
      severity: "warning",
      fields: [{ path: ["spec", "ofTheFuture"] }],
    });
    await server.kubectl(["delete", "httproutefilter", "bad"]);
    await waitFor("the problem to go", () => !mirror.problems.has("httpRouteFilters default/bad"));
    await server.kubectl(["delete", "crd", "httproutefilters.gateway.envoyproxy.io"]);
  });
});

const looseCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "httproutefilters.gateway.envoyproxy.io" },
  spec: {
    group: "gateway.envoyproxy.io",
    scope: "Namespaced",
    names: { kind: "HTTPRouteFilter", plural: "httproutefilters", singular: "httproutefilter" },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

function filter(name: string, spec: object): object {
  return {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "HTTPRouteFilter",
    metadata: { name, namespace: "default" },
    spec,
  };
}

describe("kinds", () => {
  test("that are not installed count as empty, are read when they come, and are empty again when they go", async () => {
    const name = "grpcroutes.gateway.networking.k8s.io";
    const file = join(gatewayApiCrds("standard"), "gateway.networking.k8s.io_grpcroutes.yaml");
    await server.kubectl(["delete", "crd", name, "--wait=true"]);
    const mirror = await start();
    const state = () => mirror.input.states().find(({ collection }) => collection === "grpcRoutes");
    expect(state()).toMatchObject({ doing: "absent", synced: true, objects: 0 });
    const absentKinds = () => mirror.installedApi.at(-1)?.absentKinds;
    expect(absentKinds()).toEqual(["GRPCRoute"]);
    for (const _ of ["first", "again"]) {
      await server.kubectl(["apply", "--server-side", "-f", file]);
      await server.kubectl(["wait", "--for=condition=Established", "crd", name]);
      await apply({
        apiVersion: GATEWAY_API,
        kind: "GRPCRoute",
        metadata: { name: "rpc", namespace: "default" },
        spec: { parentRefs: [{ name: "web" }] },
      });
      await waitFor("the route to be read", () => mirror.keys("grpcRoutes").length === 1);
      expect(absentKinds()).toEqual([]);
      await server.kubectl(["delete", "crd", name]);
      await waitFor("the route to be gone", () => mirror.keys("grpcRoutes").length === 0);
      await waitFor("the kind to be known as absent", () => state()?.doing === "absent");
      expect(absentKinds()).toEqual(["GRPCRoute"]);
    }
    await server.kubectl(["apply", "--server-side", "-f", file]);
  });

  test("are not believed to be gone by a 404 that discovery does not confirm", async () => {
    const proxy = await startFaultProxy({
      url: server.url,
      caCertificate: server.caCertificate,
      token: server.adminToken,
    });
    proxies.push(proxy);
    await apply(route("stays"));
    const mirror = await start({ url: proxy.url });
    const count = mirror.keys("httpRoutes").length;
    let refused = 0;
    proxy.intercept(({ path }) => {
      if (path !== ROUTES) return undefined;
      refused++;
      return { status: 404, body: "404 page not found\n" };
    });
    proxy.watches("httproutes")[0]?.reset();
    await waitFor("several refusals", () => refused > 3);
    expect(mirror.keys("httpRoutes")).toHaveLength(count);
    await server.kubectl(["delete", "httproute", "stays"]);
    proxy.intercept(undefined);
    await waitFor("the deletion", () => mirror.deletions.includes("httpRoutes default/stays"));
    await untilEqual(server, mirror, "httpRoutes", ROUTES);
  });

  test("are not believed to be absent by a server that is still starting", async () => {
    const proxy = await startFaultProxy({
      url: server.url,
      caCertificate: server.caCertificate,
      token: server.adminToken,
    });
    proxies.push(proxy);
    await apply(route("early"));
    const begin = performance.now();
    // Discovery is empty, and the routes' handler says 404 because it does not know the CRD yet.
    const empty = { kind: "APIGroupDiscoveryList", items: [] };
    proxy.intercept(({ path }) => {
      if (performance.now() - begin > 1500) return undefined;
      if (path === "/api" || path === "/apis") return { status: 503, body: empty };
      return path === ROUTES ? { status: 404, body: "404 page not found\n" } : undefined;
    });
    const mirror = await start({ url: proxy.url });
    expect(performance.now() - begin).toBeGreaterThan(1500);
    expect(mirror.keys("httpRoutes")).toContain("default/early");
  });

  test("move to a better version when one is served, without anything being handed on again", async () => {
    const kinds = followedKinds
      .filter((kind) => kind.collection === "referenceGrants")
      .map((kind) => ({ ...kind, versions: ["v1", "v1beta1"] as const }));
    const patch = (served: boolean) => [
      "patch",
      "crd",
      "referencegrants.gateway.networking.k8s.io",
      "--type=json",
      `-p=[{"op":"test","path":"/spec/versions/0/name","value":"v1"},{"op":"replace","path":"/spec/versions/0/served","value":${served}}]`,
    ];
    await server.kubectl(patch(false));
    const mirror = await start({ kinds });
    await waitFor("the grant in the older version", () => mirror.keys("referenceGrants").length === 1);
    const before = mirror.handedOn("referenceGrants");
    await server.kubectl(patch(true));
    const figures = () => mirror.input.states().find(({ collection }) => collection === "referenceGrants");
    await waitFor("a second list", () => (figures()?.lists ?? 0) >= 2 && figures()?.doing === "watching");
    expect(mirror.handedOn("referenceGrants")).toBe(before);
    await server.kubectl(["delete", "referencegrant", "--all"]);
    await waitFor("the deletion", () => mirror.keys("referenceGrants").length === 0);
  });
});
