import { describe, expect, test } from "@jest/globals";
import type { GatewayPlan, ListenerCertificates, ListenerPlan, PortPlan } from "../attach/model.ts";
import { resourceToJson } from "../envoy/json.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { buildAccessLogs } from "./access-log.ts";
import { type ListenerOptions, translateListener } from "./listener.ts";
import { translateHttpPart, translateHttpsPart } from "./listener-part.ts";

const plan: GatewayPlan = {
  key: "infra/edge",
  fleet: "infra/edge",
  className: "gatehouse",
  controllerName: "example.com/c",
  listeners: [],
  listenerSets: [],
  ports: [],
  problems: [],
  portOffset: 0,
  addresses: [],
};

function listener(name: string, hostname?: string, routeTable = `infra/edge/${name}`): ListenerPlan {
  return {
    gateway: "infra/edge",
    name,
    index: 0,
    protocol: "HTTPS",
    port: 443,
    ...(hostname === undefined ? {} : { hostname }),
    supportedKinds: [],
    allowedNamespaces: { from: "Same" },
    certificateRefs: [],
    problems: [],
    valid: true,
    routeTable,
  };
}

function port(protocol: "HTTP" | "HTTPS", ...listeners: ListenerPlan[]): PortPlan {
  return { port: 443, bindPort: 10443, protocol, name: `infra/edge/${listeners[0]?.name}`, listeners };
}

function held(...secrets: string[]): ListenerCertificates {
  return { gateway: "infra/edge", name: "", secrets, dnsNames: [], problems: [] };
}

const none = () => undefined;
const shape = { fleet: plan.fleet, settings: { telemetry: {} }, logs: buildAccessLogs(plan.fleet, undefined) };

/** The Listener of a port of requests, with the parts of all its listeners. */
function translate(
  place: GatewayPlan,
  port: PortPlan,
  certificates: (key: string) => ListenerCertificates | undefined,
  options: ListenerOptions = {},
) {
  const parts =
    port.protocol === "HTTP"
      ? [translateHttpPart(port, shape)]
      : port.listeners.map((one) => {
          const key = `infra/edge/${one.name}`;
          return translateHttpsPart(port, one, certificates(key), shape);
        });
  return translateListener(
    place,
    port,
    parts.filter((part) => part !== undefined),
    options,
  )?.resource;
}

describe("HTTP", () => {
  const http = port("HTTP", listener("one", "a.example.com"), listener("two", undefined, "infra/edge/one"));

  test("one default chain with the common route table", () => {
    const resource = translate(plan, http, none);
    expect(resource).toMatchObject({
      type: resourceTypes.listener,
      name: "infra/edge/one",
      dependents: [],
      clusters: [[]],
    });
    expect(resource && resourceToJson(resource)).toMatchSnapshot();
  });

  test("binds the address of the plan, and shares the port only when told to", () => {
    const resource = translate({ ...plan, bindAddress: "10.1.2.3" }, http, none, {
      exclusivePort: false,
    });
    expect(resource && resourceToJson(resource)).toMatchObject({
      address: { socketAddress: { address: "10.1.2.3", portValue: 10443 } },
      enableReusePort: true,
    });
  });

  test("does not depend on the hostnames of its listeners", () => {
    const others = port("HTTP", listener("one", "b.example.com"));
    expect(translate(plan, others, none)?.version).toBe(translate(plan, http, none)?.version);
  });
});

describe("HTTPS", () => {
  const https = port("HTTPS", listener("exact", "a.example.com"), listener("wild", "*.example.com"), listener("all"));
  const certificates = (key: string) => (key === "infra/edge/wild" ? held("infra/z", "infra/a") : held("infra/z"));

  function chains(...parameters: Parameters<typeof translate>): Record<string, unknown>[] {
    const resource = translate(...parameters);
    return resource === undefined ? [] : (resourceToJson(resource)["filterChains"] as Record<string, unknown>[]);
  }

  test("a chain for each listener, taken by server name", () => {
    const resource = translate(plan, https, certificates);
    expect(resource && resourceToJson(resource)).toMatchSnapshot();
    expect(chains(plan, https, certificates).map((chain) => chain["filterChainMatch"])).toEqual([
      undefined,
      { serverNames: ["a.example.com"] },
      { serverNames: ["*.example.com"] },
    ]);
  });

  test("all its secrets are sent with it, each once", () => {
    expect(translate(plan, https, certificates)?.dependents).toEqual([
      { type: resourceTypes.secret, name: "infra/a" },
      { type: resourceTypes.secret, name: "infra/z" },
    ]);
  });

  test("certificates stay in the order of the references: the first is the default", () => {
    expect(chains(plan, https, certificates)[2]).toMatchObject({
      transportSocket: {
        typedConfig: {
          commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: "infra/z" }, { name: "infra/a" }] },
        },
      },
    });
  });

  test("a listener without a certificate costs only itself, and a port without any is not opened", () => {
    const one = (key: string) => (key.endsWith("exact") ? held("infra/z") : key.endsWith("wild") ? held() : undefined);
    expect(chains(plan, https, one)).toHaveLength(1);
    expect(translate(plan, https, none)).toBeUndefined();
    expect(translate(plan, port("HTTPS"), certificates)).toBeUndefined();
  });
});
