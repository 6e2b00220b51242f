import { describe } from "@jest/globals";
import { backend, objectOf, staticBackend, testRules, withTls } from "./objects.test-support.ts";

const ip = { ip: { address: "10.0.0.1", port: 80 } };
const fqdn = { fqdn: { hostname: "a.example.com", port: 80 } };

describe("Backend rules", () => {
  testRules([
    ["Backend has a spec", backend({}), objectOf("gateway.envoyproxy.io/v1alpha1", "Backend", {}), "spec: is required"],
    [
      "Backend known field",
      backend({}),
      backend({ endpoint: [] }),
      "spec.endpoint: is not a known field; did you mean endpoints?",
    ],
    [
      "Backend enum",
      backend({}),
      backend({ type: "Static" }),
      'spec.type: must be one of Endpoints, DynamicResolver (it is "Static")',
    ],
    [
      "Backend required",
      backend({ endpoints: [ip] }),
      backend({ endpoints: [{ ip: {} }] }),
      "spec.endpoints[0].ip.address: is required",
    ],
    [
      "Backend maximum",
      backend({ endpoints: [ip] }),
      backend({ endpoints: [{ ip: { address: "10.0.0.1", port: 70000 } }] }),
      "ip.port: must be at most 65535 (it is 70000)",
    ],
    [
      "some address",
      backend({ endpoints: [fqdn] }),
      backend({ endpoints: [{}] }),
      "spec.endpoints[0]: set one of fqdn, ip and unix",
    ],
    [
      "one address",
      backend({ endpoints: [fqdn] }),
      backend({ endpoints: [{ ...fqdn, ...ip }] }),
      "fqdn, ip and unix exclude one another",
    ],
    [
      "unix path length",
      backend({ endpoints: [{ unix: { path: "/a" } }] }),
      backend({ endpoints: [{ unix: { path: "a".repeat(109) } }] }),
      "unix.path: must have at most 108",
    ],
    [
      "no mix with fqdn",
      backend({ endpoints: [ip, ip] }),
      backend({ endpoints: [ip, fqdn] }),
      "spec.endpoints: do not mix",
    ],
    [
      "resolver without endpoints",
      backend({ type: "DynamicResolver" }),
      backend({ type: "DynamicResolver", endpoints: [ip] }),
      "spec: a DynamicResolver has no endpoints",
    ],
    [
      "resolver without auto SNI",
      backend({ type: "DynamicResolver" }),
      backend({ type: "DynamicResolver", tls: { autoSNIFromEndpointHostname: true } }),
      "spec: a DynamicResolver has no endpoint hostnames",
    ],
    [
      "auto SNI hostnames",
      backend({ endpoints: [{ ...ip, hostname: "a.b" }], tls: { autoSNIFromEndpointHostname: true } }),
      withTls({ autoSNIFromEndpointHostname: true }),
      "every ip and unix endpoint needs a hostname",
    ],
    [
      "authorities from one place",
      withTls({ wellKnownCACertificates: "System" }),
      withTls({ wellKnownCACertificates: "System", caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "a" }] }),
      "spec.tls: caCertificateRefs and",
    ],
    [
      "no authorities unverified",
      withTls({ insecureSkipVerify: true }),
      withTls({ insecureSkipVerify: true, wellKnownCACertificates: "System" }),
      "insecureSkipVerify turns",
    ],
    [
      "sni or automatic",
      withTls({ sni: "a.b" }),
      backend({ endpoints: [fqdn], tls: { sni: "a.b", autoSNIFromEndpointHostname: true } }),
      "sni and auto",
    ],
    [
      "no ciphers in 1.3",
      withTls({ minVersion: "1.2", ciphers: ["x"] }),
      withTls({ minVersion: "1.3", ciphers: ["x"] }),
      "ciphers do not apply",
    ],
    [
      "version order",
      withTls({ minVersion: "1.2", maxVersion: "1.2" }),
      withTls({ minVersion: "1.3", maxVersion: "1.2" }),
      "minVersion (1.2",
    ],
    ["version order, default", withTls({ maxVersion: "Auto" }), withTls({ maxVersion: "1.1" }), "minVersion (1.2"],
    [
      "static only",
      staticBackend({ type: "Static", static: { hosts: [{ host: "h", port: 1 }] } }),
      staticBackend({ type: "AWS", static: { hosts: [{ host: "h", port: 1 }] } }),
      'spec.type: must be one of Static (it is "AWS")',
    ],
    [
      "static hosts",
      staticBackend({ static: { hosts: [{ host: "h", port: 1 }] } }),
      staticBackend({ type: "Static" }),
      "spec: needs the field static",
    ],
  ]);
});
