import { describe } from "@jest/globals";
import { gatewayOf, gatewayVersion, httpsListener, listener, objectOf, testRules } from "./objects.test-support.ts";

const setOf = (...listeners: object[]) =>
  objectOf(gatewayVersion, "ListenerSet", { spec: { parentRef: { name: "g" }, listeners } });

describe("ListenerSet rules", () => {
  testRules([
    ["names differ", setOf(listener), setOf(listener, { ...listener, port: 81 }), "spec.listeners[1]: has the name"],
    [
      "no TLS on HTTP",
      setOf(httpsListener),
      setOf({ ...httpsListener, protocol: "HTTP" }),
      "spec.listeners[0].tls: is not possible",
    ],
    [
      "a parent",
      setOf(listener),
      objectOf(gatewayVersion, "ListenerSet", { spec: { listeners: [listener] } }),
      "spec.parentRef: is required",
    ],
    ["a listener", setOf(listener), setOf(), "spec.listeners: must have at least one item"],
    ["a port", setOf(listener), setOf({ ...listener, port: 0 }), "spec.listeners[0].port: must be"],
  ]);
});

describe("Gateway rules", () => {
  testRules([
    [
      "listener names differ",
      gatewayOf(listener, { ...listener, name: "m", port: 81 }),
      gatewayOf(listener, { ...listener, port: 81 }),
      "spec.listeners[1]: has the name of listener 0",
    ],
    [
      "listeners differ",
      gatewayOf(listener, { ...listener, name: "m", hostname: "a.b" }),
      gatewayOf(listener, { ...listener, name: "m" }),
      "spec.listeners[1]: has the port, protocol and hostname",
    ],
    [
      "no TLS on HTTP",
      gatewayOf(listener),
      gatewayOf({ ...httpsListener, protocol: "HTTP" }),
      "spec.listeners[0].tls: is not possible",
    ],
    [
      "no hostname on TCP",
      gatewayOf({ ...listener, protocol: "TCP" }),
      gatewayOf({ ...listener, protocol: "TCP", hostname: "a.b" }),
      "spec.listeners[0].hostname: is not possible",
    ],
    [
      "HTTPS terminates",
      gatewayOf(httpsListener),
      gatewayOf({ ...httpsListener, tls: { mode: "Passthrough" } }),
      "spec.listeners[0].tls.mode: must be Terminate",
    ],
    [
      "TLS has tls",
      gatewayOf({ ...httpsListener, protocol: "TLS" }),
      gatewayOf({ ...listener, protocol: "TLS" }),
      "spec.listeners[0].tls: is required",
    ],
    [
      "certificates",
      gatewayOf(httpsListener),
      gatewayOf({ ...httpsListener, tls: {} }),
      "spec.listeners[0].tls.certificateRefs: must name",
    ],
    [
      "address is an IP address",
      objectOf(gatewayVersion, "Gateway", {
        spec: { gatewayClassName: "c", listeners: [listener], addresses: [{ value: "::1" }] },
      }),
      objectOf(gatewayVersion, "Gateway", {
        spec: { gatewayClassName: "c", listeners: [listener], addresses: [{ value: "x" }] },
      }),
      "spec.addresses[0].value: must be an IPv4",
    ],
  ]);
});
