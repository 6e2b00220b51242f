import { expect, test } from "@jest/globals";
import { webPair } from "../attach/key-pairs.test-support.ts";
import type { Settings } from "../attach/model.ts";
import { RouteConfiguration } from "../envoy/generated/envoy/config/route/v3/route.ts";
import type { EncodedResource, ResourceChange } from "../envoy/resource.ts";
import { batchOf } from "./batch.test-support.ts";
import type { GatewayInfrastructure } from "./infrastructure.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";
import type { PolicyReport } from "./policy-reports.ts";

/** What HTTP/3 costs when it comes and goes, and what it needs of ports. */

const group = "gateway.networking.k8s.io";
const LISTENERS = 20;
const onHost: Settings = { controllerNames: ["example.com/c"], hostInfrastructure: true, privilegedPortOffset: 10_000 };
const inCluster: Settings = { ...onHost, hostInfrastructure: false };

interface Listener {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  readonly hostname?: string;
}

const tls = { certificateRefs: [{ name: "pair" }] };
const gateway = (name: string, listeners: readonly Listener[], address?: string) => ({
  apiVersion: `${group}/v1`,
  kind: "Gateway",
  metadata: { name, namespace: "default", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: {
    gatewayClassName: "c",
    ...(address && { addresses: [{ type: "IPAddress", value: address }] }),
    listeners: listeners.map((listener) => ({ ...listener, ...(listener.protocol === "HTTPS" && { tls }) })),
  },
});
const https = (index: number): Listener => ({
  name: `host-${index}`,
  protocol: "HTTPS",
  port: 443,
  hostname: `host-${index}.example.com`,
});
const policy = (sectionName: string, spec: object = { http3: {} }) => ({
  apiVersion: "gateway.envoyproxy.io/v1alpha1",
  kind: "ClientTrafficPolicy",
  metadata: { name: sectionName, namespace: "default" },
  spec: { targetRefs: [{ group, kind: "Gateway", name: "web", sectionName }], ...spec },
});

function load(settings: Settings, ...objects: object[]) {
  let published: ResourceChange[] = [];
  const infrastructure = new Map<string, GatewayInfrastructure | undefined>();
  const pipeline = createPipeline(settings, {
    xds: (changes) => published.push(...changes),
    statuses() {},
    infrastructure(changes) {
      for (const [key, value] of changes) infrastructure.set(key, value);
    },
  });
  pipeline.stage(
    batchOf(
      {
        apiVersion: `${group}/v1`,
        kind: "GatewayClass",
        metadata: { name: "c" },
        spec: { controllerName: "example.com/c" },
      },
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "pair", namespace: "default" },
        type: "kubernetes.io/tls",
        stringData: { "tls.crt": webPair.certificate, "tls.key": webPair.key },
      },
      ...objects,
    ),
  );
  pipeline.markSynced();
  const commit = () => {
    const { runs } = pipeline.commitNow();
    // What was published of Listeners is put down for when an Envoy says that it has it.
    pipeline.commitNow();
    const sent = published;
    published = [];
    return { runs: Object.fromEntries(runs), sent };
  };
  const first = commit();
  const udpPorts = () =>
    infrastructure
      .get("default/web")
      ?.served.filter(({ protocol }) => protocol === "UDP")
      .map(({ name, port, bindPort }) => `${name} ${port} ${bindPort}`);
  return { pipeline, commit, first, udpPorts };
}

const namesOf = (sent: readonly ResourceChange[]) =>
  sent
    .map(({ type, name, resource }) => `${resource ? "" : "-"}${type.slice(type.lastIndexOf(".") + 1)} ${name}`)
    .sort();

function altSvcOf(sent: readonly ResourceChange[], table: string): string | undefined {
  const { resource } = sent.find(({ name, type }) => name === table && type.endsWith("RouteConfiguration")) ?? {};
  return decodeTable(resource as EncodedResource).responseHeadersToAdd?.find(({ header }) => header?.key === "alt-svc")
    ?.header?.value;
}

function decodeTable({ chunks }: EncodedResource): RouteConfiguration {
  return RouteConfiguration.decode(Buffer.concat(chunks));
}

function warningsOf(pipeline: Pipeline, name: string): readonly string[] {
  const report = [...pipeline.statuses()].find(([key]) => key === `ClientTrafficPolicy/default/${name}`)?.[1];
  return (report as PolicyReport).ancestors.flatMap(({ problems }) => problems.map(({ message }) => message));
}

test("it comes and goes with a Listener of its own and one route table, and leaves that of TCP as it is", () => {
  const listeners = Array.from({ length: LISTENERS }, (_, index) => https(index));
  const { pipeline, commit, udpPorts } = load(onHost, gateway("web", listeners), policy("host-0"));
  expect(udpPorts()).toEqual(["https-443-h3 443 10443"]);
  pipeline.stage(batchOf(policy("host-3")));
  const { runs, sent } = commit();
  expect(namesOf(sent)).toEqual(["Listener default/web/host-0-quic", "RouteConfiguration default/web/host-3"]);
  // However many listeners there are, each once.
  expect(Object.values(runs).filter((count) => count !== 1)).toEqual([]);
  expect(runs).toMatchObject({ http3Ports: 1, quicParts: 1, httpsParts: 1, quicListeners: 1, routeConfigurations: 1 });
  // Nothing else is said of HTTP/3, so that the Listener of it alone changes.
  pipeline.stage({ clientTrafficPolicies: new Map([["default/host-3", undefined]]) });
  expect(namesOf(commit().sent)).toEqual(["Listener default/web/host-0-quic", "RouteConfiguration default/web/host-3"]);
  pipeline.stage({ clientTrafficPolicies: new Map([["default/host-0", undefined]]) });
  expect(namesOf(commit().sent)).toEqual([
    "-Listener default/web/host-0-quic",
    "RouteConfiguration default/web/host-0",
  ]);
  expect(udpPorts()).toEqual([]);
  pipeline.stop();
});

test("clients are told the port that they see: the Service's in a cluster, Envoy's own on a host", () => {
  for (const [settings, seen] of [
    [inCluster, 443],
    [onHost, 10_443],
  ] as const) {
    const { pipeline, first, udpPorts } = load(settings, gateway("web", [https(0), https(1)]), policy("host-0"));
    expect(altSvcOf(first.sent, "default/web/host-0")).toBe(`h3=":${seen}"; ma=86400`);
    expect(altSvcOf(first.sent, "default/web/host-1")).toBeUndefined();
    expect(udpPorts()).toEqual(["https-443-h3 443 10443"]);
    pipeline.stop();
  }
});

/** Gateways beside `web`, which has HTTPS on 443 of address 10.0.0.1: by whom its number of UDP is taken. */
const neighbours: readonly (readonly [string, Settings, readonly object[], string | null])[] = [
  ["nobody, on a host", onHost, [], null],
  ["itself, on a host", onHost, [], "default/web/dns"],
  ["itself, in a cluster", inCluster, [], "default/web/dns"],
  [
    "another Gateway of the host",
    onHost,
    [gateway("dns", [{ name: "dns", protocol: "UDP", port: 443 }])],
    "default/dns/dns",
  ],
  [
    "another Gateway of another address",
    onHost,
    [gateway("dns", [{ name: "dns", protocol: "UDP", port: 443 }], "10.0.0.2")],
    null,
  ],
  ["another Gateway of the cluster", inCluster, [gateway("dns", [{ name: "dns", protocol: "UDP", port: 443 }])], null],
];

test.each(neighbours)("its port of UDP is taken by %s", (_name, settings, others, taker) => {
  const own = taker === "default/web/dns" ? [{ name: "dns", protocol: "UDP", port: 443 }] : [];
  const { pipeline, first, udpPorts } = load(
    settings,
    gateway("web", [https(0), ...own], "10.0.0.1"),
    policy("host-0"),
    ...others,
  );
  const taken = taker !== null;
  expect(namesOf(first.sent).includes("Listener default/web/host-0-quic")).toBe(!taken);
  expect(altSvcOf(first.sent, "default/web/host-0") === undefined).toBe(taken);
  expect(udpPorts()?.includes("https-443-h3 443 10443")).toBe(!taken);
  expect(warningsOf(pipeline, "host-0")).toEqual(taken ? [expect.stringContaining(`which listener ${taker} has`)] : []);
  pipeline.stop();
});
