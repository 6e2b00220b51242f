import { describe, expect, test } from "@jest/globals";
import type { Backend } from "../api/backend.ts";
import type { EndpointSlice, Service } from "../api/core.ts";
import type { StaticBackend } from "../api/static-backend.ts";
import { buildClusterSpec, type ClusterSettings } from "../attach/cluster-spec.ts";
import type { ClusterReach } from "../attach/model.ts";
import { ClusterLoadAssignment } from "../envoy/generated/envoy/config/endpoint/v3/endpoint.ts";
import { type EndpointReader, translateEndpoints } from "./endpoints.ts";

type Endpoints = NonNullable<EndpointSlice["endpoints"]>;

const service = { kind: "Service", key: "a/web", port: 80, portName: "http" } as const;
const backend = { kind: "Backend", key: "a/ip", group: "gateway.envoyproxy.io" } as const;
const fixed = { kind: "Backend", key: "a/fixed", group: "gateway.kgateway.dev" } as const;

function slice(endpoints: Endpoints, changes: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "s", namespace: "a" },
    addressType: "IPv4",
    ports: [
      { name: "admin", port: 9090 },
      { name: "http", port: 8080 },
    ],
    endpoints,
    ...changes,
  };
}

const at = (address: string, conditions = {}, zone?: string): Endpoints[number] => ({
  addresses: [address, "10.9.9.9"],
  conditions,
  ...(zone !== undefined && { zone }),
});

function backendOf(spec: Backend["spec"]): Backend {
  return { apiVersion: "gateway.envoyproxy.io/v1alpha1", kind: "Backend", metadata: { name: "ip" }, spec };
}

/** One line per locality: priority, zone or region, weight, addresses. */
function translate(
  reach: ClusterReach,
  read: Partial<EndpointReader>,
  settings: Partial<ClusterSettings> = {},
): { lines: string[]; endpoints: number } {
  const spec = buildClusterSpec(reach, { protocol: "http1", ...settings });
  const { resource, endpoints } = translateEndpoints(spec, {
    endpointSlices: () => [],
    service: () => undefined,
    backend: () => undefined,
    staticBackend: () => undefined,
    ...read,
  });
  const message = ClusterLoadAssignment.decode(Buffer.concat(resource.chunks));
  expect(message.clusterName).toBe(spec.name);
  const lines = (message.endpoints ?? []).map(({ priority, locality, loadBalancingWeight, lbEndpoints }) => {
    const addresses = (lbEndpoints ?? []).map(({ endpoint }) => {
      const { socketAddress, pipe } = endpoint?.address ?? {};
      const hostname = endpoint?.hostname ? `=${endpoint.hostname}` : "";
      return `${pipe?.path ?? `${socketAddress?.address}:${socketAddress?.portValue}`}${hostname}`;
    });
    const place = locality?.region || locality?.zone || "-";
    return `${priority ?? 0} ${place} ${loadBalancingWeight} ${addresses.join(" ")}`;
  });
  return { lines, endpoints };
}

const ofSlices = (...slices: EndpointSlice[]) => translate(service, { endpointSlices: () => slices });

describe("endpoints of a Service", () => {
  test("are the ready ones, by the name of the port, in zones weighted by their number", () => {
    const result = ofSlices(
      slice([at("10.0.0.3", {}, "z2"), at("10.0.0.1", { ready: true }, "z1"), at("10.0.0.2", { ready: false })]),
      slice([at("10.0.0.4", {}, "z1")]),
    );
    expect(result).toEqual({ lines: ["0 z1 2 10.0.0.1:8080 10.0.0.4:8080", "0 z2 1 10.0.0.3:8080"], endpoints: 3 });
  });

  test("are those that still serve while they terminate when none is ready", () => {
    const draining = { ready: false, serving: true, terminating: true };
    const gone = { ready: false, serving: false, terminating: true };
    const starting = { ready: false, serving: true };
    const endpoints = [at("10.0.0.1", draining), at("10.0.0.2", gone), at("10.0.0.4", starting)];
    expect(ofSlices(slice(endpoints)).lines).toEqual(["0 - 1 10.0.0.1:8080"]);
    expect(ofSlices(slice([...endpoints, at("10.0.0.3")])).lines).toEqual(["0 - 1 10.0.0.3:8080"]);
  });

  test("count once and in one order, however slices overlap and come", () => {
    const one = slice([at("10.0.0.2", {}, "z"), at("10.0.0.1")]);
    const two = slice([at("10.0.0.1"), at("10.0.0.2", {}, "y")]);
    expect(ofSlices(one, two)).toEqual(ofSlices(two, one));
    expect(ofSlices(one, two).endpoints).toBe(2);
  });

  test("are IPv4 where both families exist, else IPv6, never names", () => {
    const six = slice([at("fd00::1")], { addressType: "IPv6" });
    expect(ofSlices(six, slice([at("10.0.0.1")])).lines).toEqual(["0 - 1 10.0.0.1:8080"]);
    expect(ofSlices(six).lines).toEqual(["0 - 1 fd00::1:8080"]);
    expect(ofSlices(slice([at("x.example.com")], { addressType: "FQDN" }))).toEqual({ lines: [], endpoints: 0 });
  });

  test("are IPv6 where both families exist and IPv6 is asked for", () => {
    const [four, six] = [slice([at("10.0.0.1")]), slice([at("fd00::1")], { addressType: "IPv6" })];
    const lines = (...slices: EndpointSlice[]) =>
      translate(service, { endpointSlices: () => slices }, { family: "IPv6" }).lines;
    expect(lines(four, six)).toEqual(["0 - 1 fd00::1:8080"]);
    expect(lines(four)).toEqual(["0 - 1 10.0.0.1:8080"]);
  });

  test("are its own address where that is asked for, unless it has none", () => {
    const slices = { endpointSlices: () => [slice([at("10.0.0.1")])] };
    const lines = (clusterIPs: string[], settings: Partial<ClusterSettings> = {}) => {
      const spec = { clusterIP: clusterIPs[0], clusterIPs };
      const reach = { ...service, address: "Service" } as const;
      return translate(reach, { ...slices, service: () => ({ metadata: { name: "web" }, spec }) as Service }, settings)
        .lines;
    };
    expect(lines(["10.96.0.1", "fd00::9"])).toEqual(["0 - 1 10.96.0.1:80"]);
    expect(lines(["10.96.0.1", "fd00::9"], { family: "IPv6" })).toEqual(["0 - 1 fd00::9:80"]);
    expect(lines(["10.96.0.1"], { family: "IPv6" })).toEqual(["0 - 1 10.96.0.1:80"]);
    expect(lines(["None"])).toEqual(["0 - 1 10.0.0.1:8080"]);
    expect(translate({ ...service, address: "Service" }, slices).lines).toEqual(["0 - 1 10.0.0.1:8080"]);
  });

  test("need a TCP port of that name; an unnamed port has the empty name", () => {
    const udp = slice([at("10.0.0.1")], { ports: [{ name: "http", port: 80, protocol: "UDP" }] });
    expect(ofSlices(udp).lines).toEqual([]);
    const unnamed = slice([at("10.0.0.1")], { ports: [{ port: 80 }] });
    const { lines } = translate({ ...service, portName: "" }, { endpointSlices: () => [unnamed] });
    expect(lines).toEqual(["0 - 1 10.0.0.1:80"]);
  });

  test("may be none: the assignment exists and is empty", () => {
    expect(ofSlices()).toEqual({ lines: [], endpoints: 0 });
  });
});

describe("endpoints of a Backend", () => {
  test("keep host name and zone; fallback alone is no priority", () => {
    const spec: Backend["spec"] = {
      fallback: true,
      endpoints: [
        { ip: { address: "10.0.0.2", port: 81 }, hostname: "two.example.com", zone: "z" },
        { unix: { path: "/run/app" } },
      ],
    };
    expect(translate(backend, { backend: () => backendOf(spec) }).lines).toEqual([
      "0 - 1 /run/app",
      "0 z 1 10.0.0.2:81=two.example.com",
    ]);
  });

  test("of the other group are its hosts", () => {
    const hosts = [
      { host: "10.0.0.2", port: 80 },
      { host: "10.0.0.1", port: 80 },
    ];
    const object: StaticBackend = {
      apiVersion: "gateway.kgateway.dev/v1alpha1",
      kind: "Backend",
      metadata: { name: "fixed" },
      spec: { type: "Static", static: { hosts } },
    };
    const wrong = backendOf({ endpoints: [{ ip: { address: "10.6.6.6", port: 1 } }] });
    const { lines } = translate(fixed, { staticBackend: () => object, backend: () => wrong });
    expect(lines).toEqual(["0 - 2 10.0.0.1:80 10.0.0.2:80"]);
  });

  test("that is gone are none", () => {
    expect(translate(backend, {}).lines).toEqual([]);
  });
});

test("members of a fallback cluster are localities with their weights and priorities", () => {
  const reach: ClusterReach = {
    kind: "Fallback",
    members: [
      { reach: service, weight: 3, priority: 0 },
      { reach: backend, weight: 2, priority: 1 },
    ],
  };
  const spare = backendOf({ endpoints: [{ ip: { address: "10.0.0.9", port: 80 } }] });
  const read = (slices: EndpointSlice[]) => ({ endpointSlices: () => slices, backend: () => spare });
  expect(translate(reach, read([slice([at("10.0.0.1", {}, "z1"), at("10.0.0.2", {}, "z2")])]))).toEqual({
    lines: ["0 service/a/web 3 10.0.0.1:8080 10.0.0.2:8080", "1 backend/a/ip 2 10.0.0.9:80"],
    endpoints: 3,
  });
  expect(translate(reach, read([])).lines).toEqual(["1 backend/a/ip 2 10.0.0.9:80"]);
});
