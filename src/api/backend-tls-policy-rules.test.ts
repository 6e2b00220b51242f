import { expect, test } from "@jest/globals";
import { validateObject } from "./kinds.ts";

const ca = { group: "", kind: "ConfigMap", name: "ca" };
const service = { group: "", kind: "Service", name: "web" };
const port = (sectionName: string) => ({ ...service, sectionName });
const hostname = "web.example.com";
const byNames = (...subjectAltNames: object[]) => ({
  validation: { caCertificateRefs: [ca], hostname, subjectAltNames },
});

test.each<[string, object]>([
  ["", {}],
  ["", { targetRefs: [port("http"), port("https"), { ...service, name: "other" }] }],
  ["", { validation: { wellKnownCACertificates: "System", hostname } }],
  ["", byNames({ type: "Hostname", hostname: "*.example.com" }, { type: "URI", uri: "spiffe://c/ns/a" })],
  ["", { options: { "gatehouse.dev/min-version": "1.2" } }],
  ["spec.targetRefs is required", { targetRefs: undefined }],
  ["spec.targetRefs.1 has the target and sectionName of item 0", { targetRefs: [service, service] }],
  ["spec.targetRefs.1 has the target and sectionName of item 0", { targetRefs: [port("a"), port("a")] }],
  ["spec.targetRefs.1 names an object that another item names", { targetRefs: [service, port("a")] }],
  ["spec.validation names no authorities", { validation: { hostname } }],
  [
    "spec.validation has both",
    { validation: { hostname, caCertificateRefs: [ca], wellKnownCACertificates: "System" } },
  ],
  ["spec.validation.hostname is required", { validation: { caCertificateRefs: [ca] } }],
  ["spec.validation.subjectAltNames.0.hostname is required", byNames({ type: "Hostname" })],
  ["spec.validation.subjectAltNames.0.uri is not possible", byNames({ type: "Hostname", hostname, uri: "a://b" })],
  ["spec.validation.subjectAltNames.0.uri is required", byNames({ type: "URI" })],
  ["spec.validation.subjectAltNames.0.hostname is not possible", byNames({ type: "URI", uri: "a://b", hostname })],
])("%j: %j", (wanted, spec) => {
  const { problems } = validateObject({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "BackendTLSPolicy",
    metadata: { name: "p" },
    spec: { targetRefs: [service], validation: { caCertificateRefs: [ca], hostname }, ...spec },
  });
  const said = problems.map(({ path, message }) => `${path.join(".")} ${message}`);
  if (wanted === "") expect(said).toEqual([]);
  else expect(said.join("; ")).toContain(wanted);
});
