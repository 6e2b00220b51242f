import { describe, expect, test } from "@jest/globals";
import type { GatewayPlan, ListenerCertificates, ListenerPlan, PortPlan } from "../attach/model.ts";
import { resourceToJson } from "../envoy/json.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { translateListener } from "./listener.ts";

const plan: GatewayPlan = {
  key: "infra/edge",
  fleet: "infra/edge",
  className: "gatehouse",
  controllerName: "example.com/c",
  listeners: [],
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
  return { gateway: "infra/edge", listener: "", secrets, dnsNames: [], problems: [] };
}

const none = () => undefined;

describe("HTTP", () => {
  const http = port("HTTP", listener("one", "a.example.com"), listener("two", undefined, "infra/edge/one"));

  test("one default chain with the common route table", () => {
    const resource = translateListener(plan, http, none);
    expect(resource).toMatchObject({
      type: resourceTypes.listener,
      name: "infra/edge/one",
      dependents: [],
      clusters: [],
    });
    expect(resource && resourceToJson(resource)).toMatchSnapshot();
  });

  test("binds the address of the plan, and shares the port only when told to", () => {
    const resource = translateListener({ ...plan, bindAddress: "10.1.2.3" }, http, none, { exclusivePort: false });
    expect(resource && resourceToJson(resource)).toMatchObject({
      address: { socketAddress: { address: "10.1.2.3", portValue: 10443 } },
      enableReusePort: true,
    });
  });

  test("does not depend on the hostnames of its listeners", () => {
    const others = port("HTTP", listener("one", "b.example.com"));
    expect(translateListener(plan, others, none)?.version).toBe(translateListener(plan, http, none)?.version);
  });
});

describe("HTTPS", () => {
  const https = port("HTTPS", listener("exact", "a.example.com"), listener("wild", "*.example.com"), listener("all"));
  const certificates = (key: string) => (key === "infra/edge/wild" ? held("infra/z", "infra/a") : held("infra/z"));

  function chains(...parameters: Parameters<typeof translateListener>): Record<string, unknown>[] {
    const resource = translateListener(...parameters);
    return resource === undefined ? [] : (resourceToJson(resource)["filterChains"] as Record<string, unknown>[]);
  }

  test("a chain for each listener, taken by server name", () => {
    const resource = translateListener(plan, https, certificates);
    expect(resource && resourceToJson(resource)).toMatchSnapshot();
    expect(chains(plan, https, certificates).map((chain) => chain["filterChainMatch"])).toEqual([
      { serverNames: ["a.example.com"] },
      { serverNames: ["*.example.com"] },
      undefined,
    ]);
  });

  test("all its secrets are sent with it, each once", () => {
    expect(translateListener(plan, https, certificates)?.dependents).toEqual([
      { type: resourceTypes.secret, name: "infra/a" },
      { type: resourceTypes.secret, name: "infra/z" },
    ]);
  });

  test("certificates stay in the order of the references: the first is the default", () => {
    expect(chains(plan, https, certificates)[1]).toMatchObject({
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
    expect(translateListener(plan, https, none)).toBeUndefined();
    expect(translateListener(plan, port("HTTPS"), certificates)).toBeUndefined();
  });
});
