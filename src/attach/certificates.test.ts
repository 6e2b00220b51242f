import { describe, expect, test } from "@jest/globals";
import type { KubernetesObject } from "../api/object.ts";
import { resolveCertificates } from "./certificates.ts";
import { authority, ed25519Pair, oddCurvePair, rsaPssPair, smallRsaPair, webPair } from "./key-pairs.test-support.ts";
import type { ListenerPlan } from "./model.ts";
import { explained, readObjects } from "./objects.test-support.ts";

type Reference = ListenerPlan["certificateRefs"][number];

function secret(name: string, data: Record<string, string>, type = "kubernetes.io/tls"): KubernetesObject {
  const encoded = Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  const object = { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "a" }, type, data: encoded };
  return object;
}

const pair = (certificate: string, key: string) => ({ "tls.crt": certificate, "tls.key": key });
const damaged = webPair.certificate.replace(/\n[A-Za-z0-9+/]{60}/, "\nAAAA");

const secrets = [
  secret("web", pair(webPair.certificate, webPair.key)),
  secret("chain", pair(webPair.certificate + authority, webPair.key)),
  secret("ed25519", pair(ed25519Pair.certificate, ed25519Pair.key)),
  secret("opaque", pair(webPair.certificate, webPair.key), "Opaque"),
  secret("no-certificate", { "tls.crt": "", "tls.key": webPair.key }),
  secret("no-key", { "tls.crt": webPair.certificate }),
  secret("text", pair("nothing of a certificate", webPair.key)),
  secret("damaged", pair(damaged, webPair.key)),
  secret("cut", pair(`${webPair.certificate}-----BEGIN CERTIFICATE-----\nMIIB`, webPair.key)),
  secret("bad-chain", pair(webPair.certificate + damaged, webPair.key)),
  secret("bad-key", pair(webPair.certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")),
  secret("other-key", pair(webPair.certificate, ed25519Pair.key)),
  secret("small", pair(smallRsaPair.certificate, smallRsaPair.key)),
  secret("odd-curve", pair(oddCurvePair.certificate, oddCurvePair.key)),
  secret("pss", pair(rsaPssPair.certificate, rsaPssPair.key)),
];

const grant = `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: b}
spec:
  from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: a}]
  to: [{group: "", kind: Secret, name: granted}]
`;

function resolve(...references: (Partial<Reference> & { name: string })[]) {
  const granted = {
    ...secret("granted", pair(webPair.certificate, webPair.key)),
    metadata: { name: "granted", namespace: "b" },
  };
  const objects = readObjects(grant, [...secrets, granted]);
  const listener: ListenerPlan = {
    gateway: "a/eg",
    name: "https",
    index: 1,
    protocol: "HTTPS",
    port: 443,
    supportedKinds: [],
    allowedNamespaces: { from: "Same" },
    certificateRefs: references.map((reference) => ({ group: "", kind: "Secret", namespace: "a", ...reference })),
    problems: [],
    valid: true,
  };
  const resolved = resolveCertificates(listener, objects);
  for (const { message } of resolved.problems) expect(message).toMatch(explained);
  return resolved;
}

describe("certificates of a listener", () => {
  test("are usable, with their names in lower case", () => {
    const { gateway, name, secrets: usable, dnsNames, problems } = resolve({ name: "web" }, { name: "ed25519" });
    expect({ gateway, name, usable, problems }).toEqual({
      gateway: "a/eg",
      name: "https",
      usable: ["a/web", "a/ed25519"],
      problems: [],
    });
    expect(dnsNames).toEqual(["*.example.com", "ed.example.com", "web.example.com"]);
  });

  test("may bring their chain", () => {
    expect(resolve({ name: "chain" })).toMatchObject({ secrets: ["a/chain"], problems: [] });
  });

  test.each([
    [{ name: "web", kind: "ConfigMap" }, "InvalidCertificateRef", /ConfigMap/],
    [{ name: "web", group: "example.com" }, "InvalidCertificateRef", /Secret\.example\.com/],
    [{ name: "absent" }, "InvalidCertificateRef", /does not exist/],
    [{ name: "opaque" }, "InvalidCertificateRef", /type Opaque/],
    [{ name: "no-certificate" }, "InvalidCertificateRef", /no tls\.crt/],
    [{ name: "no-key" }, "InvalidCertificateRef", /no tls\.key/],
    [{ name: "text" }, "InvalidCertificateRef", /no certificate in PEM/],
    [{ name: "damaged" }, "InvalidCertificateRef", /number 1 of 1/],
    [{ name: "cut" }, "InvalidCertificateRef", /damaged PEM/],
    [{ name: "bad-chain" }, "InvalidCertificateRef", /number 2 of 2/],
    [{ name: "bad-key" }, "InvalidCertificateRef", /no usable private key/],
    [{ name: "other-key" }, "InvalidCertificateRef", /does not belong/],
    [{ name: "small" }, "InvalidCertificateRef", /2048/],
    [{ name: "odd-curve" }, "InvalidCertificateRef", /curve/],
    [{ name: "pss" }, "InvalidCertificateRef", /neither RSA/],
    [{ name: "absent", namespace: "b" }, "RefNotPermitted", /ReferenceGrant/],
    [{ name: "web", kind: "ConfigMap", namespace: "b" }, "RefNotPermitted", /ConfigMap b\/web of another namespace/],
    [{ name: "web", namespace: "c" }, "RefNotPermitted", /ReferenceGrant/],
  ] as const)("%j: %s", (reference, reason, message) => {
    const result = resolve(reference);
    expect(result.secrets).toEqual([]);
    expect(result.problems).toEqual([
      {
        condition: "ResolvedRefs",
        reason,
        message: expect.stringMatching(message),
        field: "spec.listeners[1].tls.certificateRefs[0]",
      },
    ]);
  });

  test("never show key material in a message", () => {
    const keyLines = [webPair, ed25519Pair, smallRsaPair].flatMap(({ key }) =>
      key.split("\n").filter((line) => !/---/.test(line)),
    );
    const messages = secrets.flatMap(({ metadata }) =>
      resolve({ name: metadata.name }).problems.map((problem) => problem.message),
    );
    expect(messages.length).toBeGreaterThan(8);
    for (const line of keyLines.filter((each) => each !== "")) expect(messages.join("\n")).not.toContain(line);
  });

  test("of another namespace need a grant", () => {
    expect(resolve({ name: "granted", namespace: "b" })).toMatchObject({ secrets: ["b/granted"], problems: [] });
  });

  test("that are bad are left out while one is good", () => {
    const result = resolve({ name: "absent" }, { name: "web" }, { name: "x", namespace: "b" });
    expect(result.secrets).toEqual(["a/web"]);
    expect(result.problems.map(({ reason, field }) => [reason, field])).toEqual([
      ["PartiallyInvalidCertificateRef", "spec.listeners[1].tls.certificateRefs[0]"],
      ["RefNotPermitted", "spec.listeners[1].tls.certificateRefs[2]"],
    ]);
  });
});
