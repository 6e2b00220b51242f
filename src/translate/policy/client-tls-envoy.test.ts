import { expect, test } from "@jest/globals";
import type { ClientTrafficPolicy } from "../../api/clienttrafficpolicy.ts";
import { validateObject } from "../../api/kinds.ts";
import { planClientTraffic } from "../../attach/client-traffic.ts";
import { authority, revocations, webPair } from "../../attach/key-pairs.test-support.ts";
import { readObjects } from "../../attach/objects.test-support.ts";
import { cipherSuites } from "../../attach/tls-vocabulary.ts";
import { DownstreamTlsContext } from "../../envoy/generated/envoy/extensions/transport_sockets/tls/v3/tls.ts";
import { resourceToJson } from "../../envoy/json.ts";
import { encodeResource } from "../../envoy/resource.ts";
import { validateBootstrap, withEnvoy } from "../envoy.test-support.ts";
import { buildDownstreamContext } from "../listener-tls.ts";

/** What the schema allows of TLS is refused, with the field's name, or the real Envoy takes it. */

type Content = Readonly<Record<string, unknown>>;

const configMap = (name: string, data: Content) => ({
  ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "a" }, data },
});
const objects = readObjects("", [
  configMap("ca", { "ca.crt": authority }),
  configMap("list", { "ca.crl": revocations }),
]);

const refs = (name: string) => [{ kind: "ConfigMap", name }];
const trusting = (beside: Content = {}) => ({ clientValidation: { caCertificateRefs: refs("ca"), ...beside } });
const named = (kind: string, ...matches: Content[]) => trusting({ subjectAltNames: { [kind]: matches } });
const hash = "0123456789abcdefABCDEF".padEnd(64, "0");
const pairs = hash.match(/../g)?.join(":");
const protocols = (count: number) => Array.from({ length: count }, (_, index) => `${index}`.padEnd(255, "a"));

const refused: readonly (readonly [tls: Content, field: string])[] = [
  [{ ecdhCurves: ["P-256", "P-256"] }, "ecdhCurves[1]"],
  [{ ecdhCurves: ["X25519", "P-384", "x25519"] }, "ecdhCurves[2]"],
  [{ ecdhCurves: ["prime256v1", "P-256"] }, "ecdhCurves[1]"],
  [{ signatureAlgorithms: ["ed25519", "rsa_pkcs1_sha256", "ed25519"] }, "signatureAlgorithms[2]"],
  [{ alpnProtocols: protocols(256) }, "alpnProtocols"],
  [{ ciphers: [""] }, "ciphers[0]"],
  [named("uris", { type: "RegularExpression", value: "(?!a)" }), "clientValidation.subjectAltNames.uris[0].value"],
  [named("otherNames", { oid: "1.40.1", value: "a" }), "clientValidation.subjectAltNames.otherNames[0].oid"],
  [named("otherNames", { oid: "1", value: "a" }), "clientValidation.subjectAltNames.otherNames[0].oid"],
  [named("otherNames", { oid: "1.2.", value: "a" }), "clientValidation.subjectAltNames.otherNames[0].oid"],
];

const served: readonly Content[] = [
  {},
  { ecdhCurves: [], ciphers: [], signatureAlgorithms: [], alpnProtocols: [] },
  { minVersion: "1.0", maxVersion: "1.0", ciphers: ["AES128-SHA", "AES128-SHA", "[AES128-SHA|AES256-SHA]"] },
  { ciphers: [`[${[...cipherSuites].join("|")}]`] },
  { minVersion: "Auto", maxVersion: "Auto", alpnProtocols: ["h2", "h2", "\u00e4"] },
  { alpnProtocols: protocols(255) },
  { session: { resumption: { stateful: {}, stateless: {} } } },
  trusting({ crl: { refs: refs("list"), onlyVerifyLeafCertificate: true }, allowExpiredCertificate: true }),
  { clientValidation: { certificateHashes: [hash, pairs, hash], allowExpiredCertificate: true } },
  { clientValidation: { spkiHashes: [`${"A+/9".repeat(10)}AAA=`, `${"z".repeat(42)}8=`] } },
  ...["Request", "RequireAny"].map((mode) => ({ clientValidation: { mode } })),
  named("dnsNames", { value: "*.example.com" }, { type: "RegularExpression", value: "\\w+" }, { value: "\u00e4" }),
  named("ipAddresses", { value: "::1" }, { value: "2001:DB8::0" }, { type: "Prefix", value: "10." }),
  named(
    "otherNames",
    { oid: "0.39.999999999", value: "a" },
    { oid: "2.999.1", value: "a" },
    { oid: "1.2", value: "b" },
  ),
  trusting({ subjectAltNames: {} }),
  trusting({ subjectAltNames: { dnsNames: [], uris: [{ type: "Suffix", value: "x".repeat(1024) }] } }),
];

function planOf(tls: Content) {
  const { object, problems } = validateObject({
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "ClientTrafficPolicy",
    metadata: { name: "p", namespace: "a" },
    spec: { targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "g" }], tls },
  });
  if (object === undefined) throw new Error(JSON.stringify(problems));
  return planClientTraffic(object as ClientTrafficPolicy, objects);
}

test.each(refused.map(([tls, field]) => ({ field, tls })))("refused: $field", ({ tls, field }) => {
  expect(planOf(tls).refused.map((finding) => finding.field)).toEqual([`spec.tls.${field}`]);
});

/** A filter chain for each. Secrets are there from the beginning: Envoy looks at nothing before it has them. */
function bootstrapOf(contexts: readonly DownstreamTlsContext[]): object {
  const chains = contexts.map((context, index) => {
    const socket = resourceToJson(encodeResource(DownstreamTlsContext, "tls", context));
    return {
      filter_chain_match: { server_names: [`${index}.test`] },
      transport_socket: { name: "envoy.transport_sockets.tls", typed_config: JSON.parse(withoutSources(socket)) },
      filters: [],
    };
  });
  const inline = (text: string) => ({ inline_string: text });
  const trust = (name: string, beside: Content = {}) => ({
    name,
    validation_context: { trusted_ca: inline(authority), ...beside },
  });
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const lists = [...JSON.stringify(chains).matchAll(/"(trust\/[0-9a-f]+)"/g)].map(([, name = ""]) => name);
  return {
    static_resources: {
      listeners: [{ name: "l", address, filter_chains: chains }],
      secrets: [
        {
          name: "a/s",
          tls_certificate: { certificate_chain: inline(webPair.certificate), private_key: inline(webPair.key) },
        },
        trust("configmap/a/ca/ca.crt"),
        ...new Set(lists).values().map((name) => trust(name, { crl: inline(revocations) })),
      ],
    },
  };
}

function withoutSources(socket: unknown): string {
  return JSON.stringify(socket, (key, value: unknown) => (key === "sdsConfig" ? undefined : value));
}

function contextOf(tls: Content): DownstreamTlsContext {
  const { clientTls, refused: findings } = planOf(tls);
  expect(findings).toEqual([]);
  if (clientTls === undefined || clientTls === "refused") throw new Error("nothing planned");
  const { tls: planned, validation } = clientTls;
  const listener = { gateway: "a/g", name: "l", secrets: ["a/s"], dnsNames: [], problems: [] };
  const held = { ...listener, clientTls: planned, ...(validation && { clientValidation: validation }) };
  return buildDownstreamContext(held, ["h2", "http/1.1"]);
}

withEnvoy(
  "the real Envoy takes what is not refused",
  async () => {
    expect(await validateBootstrap(bootstrapOf(served.map(contextOf)))).toContain("OK");
  },
  30_000,
);
