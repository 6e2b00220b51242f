import { describe } from "@jest/globals";
import { type Content, testRules } from "./objects.test-support.ts";

const backend = { name: "s", port: 80 };

function route(kind: "TLSRoute" | "TCPRoute" | "UDPRoute", spec: Content): Content {
  const hostnames = kind === "TLSRoute" ? { hostnames: ["a.example.com"] } : {};
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind,
    metadata: { name: "r" },
    spec: { parentRefs: [{ name: "g" }], ...hostnames, rules: [{ backendRefs: [backend] }], ...spec },
  };
}

describe("rules of routes of connections and datagrams", () => {
  testRules([
    [
      "one rule",
      route("TCPRoute", {}),
      route("TCPRoute", { rules: [{ backendRefs: [backend] }, { backendRefs: [backend] }] }),
      "spec.rules: must",
    ],
    ["a rule at all", route("UDPRoute", {}), route("UDPRoute", { rules: [] }), "spec.rules: must"],
    [
      "backends in a rule",
      route("TLSRoute", {}),
      route("TLSRoute", { rules: [{ backendRefs: [] }] }),
      "spec.rules[0].backendRefs: must",
    ],
    [
      "the port of a Service",
      route("UDPRoute", { rules: [{ backendRefs: [{ ...backend, weight: 0 }] }] }),
      route("UDPRoute", { rules: [{ backendRefs: [{ name: "s" }] }] }),
      "spec.rules[0].backendRefs[0].port: is required for a Service",
    ],
    [
      "parents differ",
      route("TCPRoute", {
        parentRefs: [
          { name: "g", port: 1 },
          { name: "g", port: 2 },
        ],
      }),
      route("TCPRoute", { parentRefs: [{ name: "g" }, { name: "g" }] }),
      "spec.parentRefs[1]: names the same parent",
    ],
    [
      "server names",
      route("TLSRoute", { hostnames: ["*.example.com"] }),
      route("TLSRoute", { hostnames: [] }),
      "spec.hostnames: must",
    ],
    [
      "server names that are no addresses",
      route("TLSRoute", { hostnames: ["a1.example.com"] }),
      route("TLSRoute", { hostnames: ["10.0.0.1"] }),
      "spec.hostnames[0]: must not be an IP address",
    ],
    [
      "names only where there are names",
      route("TLSRoute", {}),
      route("TCPRoute", { hostnames: ["a.example.com"] }),
      "spec.hostnames: is not a known field",
    ],
    [
      "an older version of the kind",
      { ...route("TCPRoute", {}), apiVersion: "gateway.networking.k8s.io/v1alpha2" },
      { ...route("TCPRoute", {}), apiVersion: "gateway.networking.k8s.io/v1alpha1" },
      "apiVersion: must be",
    ],
  ]);
});
