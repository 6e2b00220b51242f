import { expect, test } from "@jest/globals";
import type { Gateway } from "../api/gateway-api.ts";
import { findInsecureFrontend, frontendValidation, resolveClientValidation } from "./client-validation.ts";
import { authority, webPair } from "./key-pairs.test-support.ts";
import { explained, parseObject, readObjects } from "./objects.test-support.ts";

const gatewayWith = (frontend: string) =>
  parseObject<Gateway>(
    `{metadata: {name: gw}, spec: {gatewayClassName: c, listeners: [], tls: {frontend: ${frontend}}}}`,
  );
const validation = (name: string, mode?: string) =>
  `{validation: {${mode === undefined ? "" : `mode: ${mode}, `}caCertificateRefs: [{group: "", kind: ConfigMap, name: ${name}}]}}`;

test.each([
  ["nothing is asked", "{default: {}}", 443, undefined],
  ["the default", `{default: ${validation("d")}}`, 443, "d AllowValidOnly default.validation"],
  [
    "the port's",
    `{default: ${validation("d")}, perPort: [{port: 1, tls: {}}, {port: 443, tls: ${validation("p", "AllowInsecureFallback")}}]}`,
    443,
    "p AllowInsecureFallback perPort[1].tls.validation",
  ],
  ["a port that asks nothing", `{default: ${validation("d")}, perPort: [{port: 443, tls: {}}]}`, 443, undefined],
  ["only another port", `{default: {}, perPort: [{port: 443, tls: ${validation("p")}}]}`, 8443, undefined],
])("what holds for a port: %s", (_name, frontend, port, expected) => {
  const found = frontendValidation(gatewayWith(frontend), port);
  expect(
    found && `${found.caCertificateRefs[0]?.name} ${found.mode} ${found.field.replace("spec.tls.frontend.", "")}`,
  ).toBe(expected);
});

test("that clients are not verified is told with every place that says so", () => {
  expect(findInsecureFrontend(gatewayWith(`{default: ${validation("d")}}`))).toBeUndefined();
  const insecure = validation("d", "AllowInsecureFallback");
  const both = gatewayWith(
    `{default: ${insecure}, perPort: [{port: 1, tls: ${validation("d")}}, {port: 2, tls: ${insecure}}]}`,
  );
  expect(findInsecureFrontend(both)?.message).toMatch(
    /frontend\.default\.validation\.mode and of spec\.tls\.frontend\.perPort\[1\]\.tls/,
  );
});

const bundle = (name: string, pem: string, namespace = "a", kind = "ConfigMap") => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace },
  ...(kind === "Secret" ? { stringData: { "ca.crt": pem } } : { data: { "ca.crt": pem } }),
});
const objects = readObjects(
  `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: b}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: a}]
  to: [{group: "", kind: ConfigMap, name: granted}]
`,
  [
    bundle("ca", authority),
    bundle("ca", authority, "a", "Secret"),
    bundle("text", "nothing of a certificate"),
    bundle("cut", `${authority}-----BEGIN CERTIFICATE-----\nMIIB`),
    bundle("granted", authority, "b"),
    bundle("ca", authority, "b"),
    bundle("key", webPair.key, "a", "Secret"),
  ],
);

/** References as `kind namespace/name`. */
function resolve(...references: string[]) {
  const caCertificateRefs = references.map((text) => {
    const [kind = "", namespace = "", name = ""] = text.split(/[ /]/);
    return { group: kind === "Job" ? "batch" : "", kind, namespace, name };
  });
  const field = "spec.tls.frontend.default.validation";
  const resolved = resolveClientValidation("a/gw", { field, caCertificateRefs, mode: "AllowValidOnly" }, objects);
  for (const { message } of resolved.problems) expect(message).toMatch(explained);
  return {
    trust: resolved.validation?.trust,
    problems: resolved.problems.map(
      ({ condition, reason, field: at }) => `${condition} ${reason} ${at?.slice(field.length)}`,
    ),
  };
}

const off = "Accepted NoValidCACertificate .caCertificateRefs";

test.each<[string[], string[] | undefined, string[]]>([
  [["ConfigMap a/ca"], ["configmap/a/ca"], []],
  [["Secret a/ca", "ConfigMap b/granted", "Secret a/ca"], ["configmap/b/granted", "secret/a/ca"], []],
  [["ConfigMap a/absent"], undefined, ["ResolvedRefs InvalidCACertificateRef .caCertificateRefs[0]", off]],
  [["ConfigMap a/text"], undefined, ["ResolvedRefs InvalidCACertificateRef .caCertificateRefs[0]", off]],
  [["ConfigMap a/cut"], undefined, ["ResolvedRefs InvalidCACertificateRef .caCertificateRefs[0]", off]],
  [["Secret a/key"], undefined, ["ResolvedRefs InvalidCACertificateRef .caCertificateRefs[0]", off]],
  [["Service a/ca"], undefined, ["ResolvedRefs InvalidCACertificateKind .caCertificateRefs[0]", off]],
  [["Job a/ca"], undefined, ["ResolvedRefs InvalidCACertificateKind .caCertificateRefs[0]", off]],
  [["ConfigMap b/ca"], undefined, ["ResolvedRefs RefNotPermitted .caCertificateRefs[0]", off]],
  [["Secret b/granted"], undefined, ["ResolvedRefs RefNotPermitted .caCertificateRefs[0]", off]],
  [
    ["ConfigMap a/absent", "ConfigMap a/ca", "Service a/x"],
    ["configmap/a/ca"],
    [
      "ResolvedRefs InvalidCACertificateRef .caCertificateRefs[0]",
      "ResolvedRefs InvalidCACertificateKind .caCertificateRefs[2]",
    ],
  ],
])("%j", (references, trust, problems) => {
  expect(resolve(...references)).toEqual({ trust, problems });
});
