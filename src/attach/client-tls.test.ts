import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { ClientTrafficPolicy } from "../api/clienttrafficpolicy.ts";
import { validateObject } from "../api/kinds.ts";
import { contradictionOf, settleListenerTls } from "./client-tls.ts";
import { type ClientTrafficPlan, planClientTraffic } from "./client-traffic.ts";
import { authority, otherAuthority, revocations } from "./key-pairs.test-support.ts";
import { readObjects } from "./objects.test-support.ts";

type Content = Readonly<Record<string, unknown>>;

const configMap = (name: string, data: Content, namespace = "a") => ({
  ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data },
});
const objects = readObjects("", [
  configMap("ca", { "ca.crt": authority }),
  configMap("partners", { "ca.crt": otherAuthority }),
  configMap("list", { "ca.crl": revocations }),
  configMap("cut", { "ca.crl": `${revocations}-----BEGIN X509 CRL-----\nMIIB` }),
  configMap("certificate", { "ca.crl": authority }),
  {
    ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "revoked-partners", namespace: "a" } },
    data: { "ca.crl": Buffer.from(revocations).toString("base64") },
  },
]);

function planOf(spec: Content) {
  const { object, problems } = validateObject({
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "ClientTrafficPolicy",
    metadata: { name: "p", namespace: "a" },
    spec: { targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "g" }], ...spec },
  });
  expect(problems).toEqual([]);
  return planClientTraffic(object as ClientTrafficPolicy, objects);
}

const validationOf = ({ clientTls }: ClientTrafficPlan) =>
  clientTls === "refused" ? undefined : clientTls?.validation;

const hash = "a".repeat(64);
const refs = (...names: string[]) => names.map((name) => ({ kind: "ConfigMap", name }));
const clients = (context: Content) => ({ clientValidation: context });
const trusting = (beside: Content = {}) => clients({ caCertificateRefs: refs("ca"), ...beside });
const names = (subjectAltNames: Content) => trusting({ subjectAltNames });

test.each<[Content, string[]]>([
  [{ minVersion: "1.3", maxVersion: "1.3" }, []],
  [{ minVersion: "Auto", maxVersion: "1.1" }, ["maxVersion"]],
  [{ ciphers: ["[AES128-SHA|AES256-SHA]"], alpnProtocols: [] }, []],
  [{ ciphers: ["AES128-SHA", "[AES128-SHA|no]"] }, ["ciphers[1]"]],
  [{ alpnProtocols: ["h2", "a".repeat(256)] }, ["alpnProtocols[1]"]],
  [clients({}), ["clientValidation"]],
  [clients({ mode: "Request" }), []],
  [clients({ mode: "VerifyIfGiven" }), ["clientValidation"]],
  [clients({ optional: true }), ["clientValidation"]],
  [clients({ certificateHashes: [hash] }), []],
  [clients({ certificateHashes: [hash.toUpperCase(), hash.slice(1), `${hash}a`] }), ["certificateHashes[1]", "certificateHashes[2]"].map((field) => `clientValidation.${field}`)],
  [clients({ spkiHashes: [hash] }), ["clientValidation.spkiHashes[0]"]],
  [clients({ certificateHashes: [hash], subjectAltNames: { uris: [{ value: "a" }] } }), ["clientValidation.subjectAltNames"]],
  [clients({ certificateHashes: [hash], crl: { refs: refs("list") } }), ["clientValidation.crl"]],
  [clients({ mode: "Request", crl: { refs: refs("list") } }), ["clientValidation.crl"]],
  [clients({ mode: "RequireAny", certificateHashes: [hash] }), ["clientValidation.certificateHashes"]],
  [trusting({ crl: { refs: refs("list", "ca", "cut", "certificate", "gone") } }), [1, 2, 3, 4].map((index) => `clientValidation.crl.refs[${index}]`)],
  [clients({ caCertificateRefs: [{ name: "ca" }, ...refs("list")] }), [0, 1].map((index) => `clientValidation.caCertificateRefs[${index}]`)],
  [names({ dnsNames: [{ type: "RegularExpression", value: "(" }] }), ["clientValidation.subjectAltNames.dnsNames[0].value"]],
  [names({ ipAddresses: [{ value: "2001:db8::1" }, { value: "host" }, { type: "Prefix", value: "10." }] }), ["clientValidation.subjectAltNames.ipAddresses[1].value"]],
  [names({ otherNames: [{ oid: "1.3.6", value: "a" }, { oid: "3.1", value: "a" }] }), ["clientValidation.subjectAltNames.otherNames[1].oid"]],
])("of %j is refused: %j", (tls, fields) => {
  const { refused, settings, clientTls } = planOf({ tls });
  expect(refused.map(({ field }) => field)).toEqual(fields.map((field) => `spec.tls.${field}`));
  // What else the policy says is for listeners without TLS.
  expect(settings?.tls).toBeDefined();
  expect(clientTls === "refused").toBe(fields.length > 0);
  for (const { text } of refused) expect(text).toContain("; ");
}); // biome-ignore format: a table

test.each<[Content, string]>([
  [{ minVersion: "1.0" }, "NoEffect spec.tls.minVersion"],
  [{ minVersion: "1.1", ciphers: ["AES128-GCM-SHA256"] }, "NoEffect spec.tls.minVersion"],
  [{ minVersion: "1.0", ciphers: ["[AES128-SHA|AES256-SHA]"] }, ""],
  [
    clients({ certificateHashes: [hash], mode: "VerifyIfGiven" }),
    "NoEffect spec.tls.clientValidation.certificateHashes",
  ],
  [clients({ mode: "VerifyIfGiven", caCertificateRefs: refs("partners"), crl: { refs: refs("list") } }), ""],
  [
    clients({ caCertificateRefs: refs("partners", "ca"), crl: { refs: refs("list") } }),
    "MissingRevocationList spec.tls.clientValidation.crl.refs",
  ],
  [trusting({ crl: { refs: refs("list"), onlyVerifyLeafCertificate: true } }), ""],
  [trusting({ optional: false }), "DeprecatedField spec.tls.clientValidation.optional"],
])("of %j is warned: %s", (tls, warning) => {
  expect(
    planOf({ tls })
      .warnings.map(({ field, reason }) => `${reason} ${field}`)
      .join(),
  ).toBe(warning);
});

test("the older word and the newer: the newer counts", () => {
  const plan = (context: Content) => validationOf(planOf({ tls: trusting(context) }));
  expect(plan({ optional: true })).toEqual(plan({ mode: "VerifyIfGiven" }));
  expect(plan({ optional: true, mode: "RequireAndVerify" })).toEqual(plan({}));
});

test("the examples of the documentation say nothing that is refused or warned of", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/policies/clienttrafficpolicy.md"), "utf8");
  const examples = [...page.matchAll(/```yaml\n([^`]*)```/g)].map(([, text = ""]) => parse(text) as { spec: Content });
  expect(examples.length).toBeGreaterThan(1);
  const plans = examples.map(({ spec }) => planOf(spec));
  expect(plans.flatMap(({ refused, warnings }) => [...refused, ...warnings])).toEqual([]);
  const validations = plans.flatMap((plan) => validationOf(plan) ?? []);
  expect(validations).toEqual([
    expect.objectContaining({ trust: ["configmap/a/partners"], revoked: ["secret/a/revoked-partners"] }),
  ]);
});

test.each([
  ["Gateway", "policy"],
  ["ListenerSet", "frontend"],
] as const)("where a Gateway and the policy of a %s both say whom to serve, the %s counts", (kind, winner) => {
  const frontendValidation = { field: "f", caCertificateRefs: [], mode: "AllowValidOnly" } as const;
  const frontend = { validation: { required: true, verified: true, trust: ["configmap/a/frontend"] }, problems: [] };
  const held = { gateway: "a/g", name: "l", secrets: ["a/s"], dnsNames: [], problems: [] };
  const listener = { protocol: "HTTPS", frontendValidation };
  const inherited = { policy: "a/p", from: { kind, key: "a/x" } };
  const found = { inherited, plan: planOf({ tls: trusting() }) };
  const settled = settleListenerTls({ ...held, listener, frontend }, found);
  expect(settled.clientValidation?.trust).toEqual([winner === "policy" ? "configmap/a/ca" : "configmap/a/frontend"]);
  expect(contradictionOf(listener, found)).toBe(winner === "frontend" ? "said by the Gateway" : undefined);
  // What says nothing of clients leaves them to the Gateway.
  const silent = { inherited, plan: planOf({ tls: { minVersion: "1.3" } }) };
  expect(settleListenerTls({ ...held, listener, frontend }, silent)).toMatchObject({
    clientValidation: frontend.validation,
    clientTls: { minVersion: "1.3" },
  });
});
