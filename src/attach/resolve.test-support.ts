import { expect } from "@jest/globals";
import type { GRPCRoute, HTTPRoute } from "../api/gateway-api.ts";
import { authority, webPair } from "./key-pairs.test-support.ts";
import type { ResolvedRoute, Settings } from "./model.ts";
import { explained, parseObject, readObjects } from "./objects.test-support.ts";
import { resolveGrpcRoute } from "./resolve-grpc.ts";
import { resolveHttpRoute } from "./resolve-http.ts";

/** Everything that the routes of these tests refer to. */
const objects = `
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{name: http, port: 80}, {name: h2, port: 81, appProtocol: kubernetes.io/h2c}, {name: grpc, port: 82, appProtocol: grpc}, {name: ws, port: 83, appProtocol: kubernetes.io/ws}, {name: wss, port: 84, appProtocol: kubernetes.io/wss}, {name: udp, port: 85, protocol: UDP}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: outside}, spec: {type: ExternalName, externalName: x.example.com, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: b}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: granted, namespace: b}, spec: {ports: [{port: 80}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: b}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: a}], to: [{group: "", kind: Service, name: granted}]}
---
${backend("ip", "{endpoints: [{ip: {address: 10.0.0.1, port: 80}}]}")}
---
${backend("loopback", "{endpoints: [{ip: {address: 127.0.0.1, port: 80}}]}")}
---
${backend("mapped", "{endpoints: [{ip: {address: '::ffff:127.0.0.1', port: 80}}]}")}
---
${backend("names", "{endpoints: [{fqdn: {hostname: api.example.com, port: 80}}]}")}
---
${backend("one-label", "{endpoints: [{fqdn: {hostname: api, port: 80}}]}")}
---
${backend("unix", "{endpoints: [{unix: {path: /run/x}}]}")}
---
${backend("mixed", "{endpoints: [{ip: {address: 10.0.0.1, port: 80}}, {fqdn: {hostname: a.example.com, port: 80}}]}")}
---
${backend("bad-ip", "{endpoints: [{ip: {address: 010.0.0.1, port: 80}}]}")}
---
${backend("no-port", "{endpoints: [{ip: {address: 10.0.0.1, port: 0}}]}")}
---
${backend("h2c", "{appProtocols: [gateway.envoyproxy.io/h2c], endpoints: [{ip: {address: 10.0.0.1, port: 80}}]}")}
---
${backend("wss", "{appProtocols: [gateway.envoyproxy.io/wss], endpoints: [{ip: {address: 10.0.0.1, port: 80}}]}")}
---
${backend("any", "{type: DynamicResolver}")}
---
${backend("spare", "{fallback: true, endpoints: [{ip: {address: 10.0.0.9, port: 80}}]}")}
---
${backend("spare-names", "{fallback: true, endpoints: [{fqdn: {hostname: b.example.com, port: 80}}]}")}
---
${tls("tls", "caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}, {group: '', kind: Secret, name: ca}], sni: api.example.com, minVersion: '1.2', clientCertificateRef: {name: client}")}
---
${tls("tls-system", "wellKnownCACertificates: System")}
---
${tls("tls-insecure", "insecureSkipVerify: true")}
---
${tls("tls-none", "sni: x.example.com")}
---
${tls("tls-absent-ca", "caCertificateRefs: [{group: '', kind: ConfigMap, name: absent}]")}
---
${tls("tls-empty-ca", "caCertificateRefs: [{group: '', kind: ConfigMap, name: empty}]")}
---
${tls("tls-kind", "caCertificateRefs: [{group: x, kind: ClusterTrustBundle, name: ca}]")}
---
${tls("tls-client", "insecureSkipVerify: true, clientCertificateRef: {name: absent}")}
---
${tls("tls-far-client", "insecureSkipVerify: true, clientCertificateRef: {name: client, namespace: b}")}
---
${tls("tls-cipher", "insecureSkipVerify: true, ciphers: [NONSENSE]")}
---
${tls("tls-cipher-group", "insecureSkipVerify: true, ciphers: ['[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]']")}
---
${tls("tls-curve", "insecureSkipVerify: true, ecdhCurves: [P-224]")}
---
${tls("tls-fingerprint", "insecureSkipVerify: true, fingerprints: [JA4]")}
---
${tls("tls-versions", "insecureSkipVerify: true, maxVersion: '1.1'")}
---
{apiVersion: gateway.kgateway.dev/v1alpha1, kind: Backend, metadata: {name: static}, spec: {type: Static, static: {hosts: [{host: 10.0.0.1, port: 80}]}}}
---
{apiVersion: gateway.kgateway.dev/v1alpha1, kind: Backend, metadata: {name: static-names}, spec: {type: Static, static: {hosts: [{host: httpbin, port: 80}, {host: 10.0.0.1, port: 80}]}}}
---
${filter("rewrite", "{urlRewrite: {path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: '^/(a+)', substitution: '/\\1'}}}}")}
---
${filter("bad-rewrite", "{urlRewrite: {path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: '(', substitution: x}}}}")}
---
${filter("bad-group", "{urlRewrite: {path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: 'a', substitution: '\\1'}}}}")}
---
${filter("bad-host-regex", "{urlRewrite: {path: {type: ReplaceRegexMatch, replaceRegexMatch: {pattern: a, substitution: b}}, hostname: {type: PathRegex, pathRegex: {pattern: '[', substitution: b}}}}")}
---
${filter("bad-header", "{urlRewrite: {hostname: {type: Header, header: 'x y'}}}")}
---
${filter("host", "{urlRewrite: {hostname: {type: Header, header: x-host}}}")}
---
${filter("answer", "{directResponse: {statusCode: 503, body: {type: Inline, inline: away}}}")}
---
${filter("answer-from-map", "{directResponse: {body: {type: ValueRef, valueRef: {group: '', kind: ConfigMap, name: body}}}}")}
---
${filter("answer-absent", "{directResponse: {body: {type: ValueRef, valueRef: {group: '', kind: ConfigMap, name: absent}}}}")}
---
${filter("answer-100", "{directResponse: {statusCode: 100}}")}
---
${filter("answer-type", '{directResponse: {contentType: "a\\nb"}}')}
---
${filter("token", "{credentialInjection: {credential: {valueRef: {name: token}}}}")}
---
${filter("token-again", "{credentialInjection: {header: X-Key, overwrite: true, credential: {valueRef: {name: token}}}}")}
---
${filter("token-absent", "{credentialInjection: {credential: {valueRef: {name: absent}}}}")}
---
${filter("token-lines", "{credentialInjection: {credential: {valueRef: {name: lines}}}}")}
---
${filter("token-header", "{credentialInjection: {header: 'a b', credential: {valueRef: {name: token}}}}")}
---
${filter("cookies", "{matches: [{cookies: [{name: c, type: RegularExpression, value: a+}]}]}")}
---
${filter("bad-cookies", "{matches: [{cookies: [{name: c, type: RegularExpression, value: '('}]}]}")}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: body}, data: {other: no, response.body: hello}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: empty}, data: {}}
---
{apiVersion: v1, kind: Secret, metadata: {name: token}, data: {credential: ${Buffer.from("Bearer s3cret\n").toString("base64")}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: lines}, stringData: {credential: "a\\nx-evil: b"}}
`;

function backend(name: string, spec: string): string {
  return `{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: Backend, metadata: {name: ${name}}, spec: ${spec}}`;
}

function tls(name: string, settings: string): string {
  return backend(name, `{endpoints: [{ip: {address: 10.0.0.1, port: 443}}], tls: {${settings}}}`);
}

function filter(name: string, spec: string): string {
  return `{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: HTTPRouteFilter, metadata: {name: ${name}}, spec: ${spec}}`;
}

const pems = [
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "ca" }, data: { "ca.crt": authority } },
  { apiVersion: "v1", kind: "Secret", metadata: { name: "ca" }, stringData: { "ca.crt": authority } },
  {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "client" },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": webPair.certificate, "tls.key": webPair.key },
  },
];

/** Route `a/r` with such rules, in YAML, with its references followed. */
export function resolve(rules: string, kind = "HTTPRoute", settings: Partial<Settings> = {}): ResolvedRoute {
  const read = readObjects(objects, pems, settings);
  const text = `{apiVersion: gateway.networking.k8s.io/v1, kind: ${kind}, metadata: {name: r}, spec: {rules: ${rules}}}`;
  const resolved =
    kind === "HTTPRoute"
      ? resolveHttpRoute(parseObject<HTTPRoute>(text), read)
      : resolveGrpcRoute(parseObject<GRPCRoute>(text), read);
  for (const { message } of resolved.problems) expect(message).toMatch(explained);
  return resolved;
}

export const inBackend = (name: string) => `{group: gateway.envoyproxy.io, kind: Backend, name: ${name}}`;
export const extension = (name: string) =>
  `{type: ExtensionRef, extensionRef: {group: gateway.envoyproxy.io, kind: HTTPRouteFilter, name: ${name}}}`;
/** A rule's backends when they do not matter. */
export const ok = "backendRefs: [{name: web, port: 80}]";
