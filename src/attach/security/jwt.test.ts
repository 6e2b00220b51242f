import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { problemAt } from "../../base/problems.ts";
import { explained, readObjects } from "../objects.test-support.ts";
import { readJwks } from "./jwks.ts";
import type { SecurityPlan } from "./model.ts";
import { planWritten } from "./plan.test-support.ts";
import { mergeSecurity } from "./plan.ts";

type Content = Record<string, unknown>;

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { ...ec.publicKey.export({ format: "jwk" }), kid: "1" };
const keySet = JSON.stringify({ keys: [key] });
const configMap = (name: string, data: Content) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "a" },
  data,
});
const objects = readObjects(
  `
apiVersion: v1
kind: Service
metadata: {name: keys, namespace: a}
spec: {ports: [{port: 80, name: http}, {port: 81, name: h2c, appProtocol: kubernetes.io/h2c}]}
---
apiVersion: v1
kind: Service
metadata: {name: keys, namespace: b}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: granted, namespace: b}
spec: {ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: b}
spec: {from: [{group: gateway.envoyproxy.io, kind: SecurityPolicy, namespace: a}], to: [{group: "", kind: Service, name: granted}]}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: resolver, namespace: a}
spec: {type: DynamicResolver}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: socket, namespace: a}
spec: {endpoints: [{unix: {path: /tmp/x}}]}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: tls, namespace: a}
spec: {endpoints: [{fqdn: {hostname: keys.example.com, port: 443}}], tls: {wellKnownCACertificates: System, sni: keys.example.com}}
`,
  [
    configMap("named", { a: "{", jwks: keySet }),
    configMap("unnamed", { b: keySet }),
    configMap("empty", {}),
    configMap("broken", { jwks: '{"keys": [tell-nobody]}' }),
  ],
);

function planOf(spec: Content, namespace = "a"): SecurityPlan {
  return planWritten(spec, objects, { namespace });
}

const inline = (text = keySet) => ({ localJWKS: { type: "Inline", inline: text } });
const byRef = (name: string, kind = "ConfigMap", group = "") => ({
  localJWKS: { type: "ValueRef", valueRef: { group, kind, name } },
});
const remote = (uri: string, more: Content = {}) => ({ remoteJWKS: { uri, ...more } });
const served = (name: string, more: Content = {}) => ({ backendRefs: [{ name, port: 80, ...more }] });
const backend = (name: string) => ({ backendRefs: [{ group: "gateway.envoyproxy.io", kind: "Backend", name }] });
const one = (provider: Content, more: Content = {}) => ({ jwt: { providers: [{ name: "p", ...provider }], ...more } });
const http = "http://keys.test/jwks";

describe("refused, and the status says so", () => {
  test.each<[Content, string]>([
    [one(inline("{")), "localJWKS.inline is no JSON Web Key Set;"],
    [one(inline('{"keys": {}}')), "localJWKS.inline is no JSON Web Key Set;"],
    [one(inline('{"keys": []}')), "localJWKS.inline has no public key that Envoy"],
    [one(inline(`{"keys": [{"kty": "EC", "k": "tell-nobody"}]}`)), "localJWKS.inline has no public key that Envoy"],
    [one(inline(" ".repeat(64 * 1024 + 1))), "localJWKS.inline has more than 65536 bytes;"],
    [one(inline(JSON.stringify({ keys: Array(101).fill(1) }))), "localJWKS.inline has more than 100 keys;"],
    [one(byRef("absent")), "localJWKS.valueRef names ConfigMap a/absent, which does not exist;"],
    [one(byRef("empty")), "localJWKS.valueRef names ConfigMap a/empty, which is empty;"],
    [one(byRef("broken")), "localJWKS.valueRef names ConfigMap a/broken, whose content is no JSON Web Key Set;"],
    [one(byRef("named", "Secret")), "localJWKS.valueRef names a Secret;"],
    [one(byRef("named", "ConfigMap", "x.io")), "localJWKS.valueRef names a ConfigMap of group x.io;"],
    [one(remote("keys")), "remoteJWKS.uri is no address of a server that speaks HTTP;"],
    [one(remote("ftp://keys.test/")), "remoteJWKS.uri is no address of a server that speaks HTTP;"],
    [one(remote("http://tell-nobody:tell-nobody@keys.test/")), "remoteJWKS.uri holds credentials,"],
    [one(remote("http://127.0.0.1/")), "remoteJWKS.uri has a host that is 127.0.0.1, an address of the proxy"],
    [one(remote("http://0x7f.1/")), "remoteJWKS.uri has a host that is 127.0.0.1, an address of the proxy"],
    [one(remote("http://[::1]/")), "remoteJWKS.uri has a host that is ::1, an address of the proxy"],
    [one(remote("http://localhost:19000/")), "remoteJWKS.uri has a host that is localhost, the proxy itself"],
    [one(remote("https://10.0.0.1/")), "remoteJWKS.uri is https at an IP address,"],
    [one(remote(http, served("absent"))), "remoteJWKS.backendRefs[0] names Service a/absent, which does not exist;"],
    [
      one(remote(http, served("keys", { namespace: "b" }))),
      "remoteJWKS.backendRefs[0] names Service b/keys in another",
    ],
    [one(remote(http, backend("resolver"))), "remoteJWKS.backendRefs leads to a DynamicResolver,"],
    [one(remote(http, backend("socket"))), "remoteJWKS.backendRefs[0] names Backend a/socket with a unix endpoint,"],
    [one(remote("https://keys.test/", served("keys"))), "remoteJWKS.backendRefs leads to a backend without TLS,"],
    [one(remote(http, { cacheDuration: "999ms" })), "remoteJWKS.cacheDuration is 999ms, less than 1s,"],
    [one(remote(http, { failedRefetchDuration: "0s" })), "remoteJWKS.failedRefetchDuration is 0s, less than 100ms,"],
    ...(
      [
        [{ retry: { retryOn: { triggers: ["5xx"] } } }, "retry.retryOn.triggers is not implemented"],
        [{ retry: { numRetries: 11 } }, "retry.numRetries is more than 10;"],
        [{ retry: { perRetry: { backOff: { maxInterval: "1s" } } } }, "retry.perRetry.backOff.maxInterval needs"],
        [{ retry: { perRetry: { backOff: { baseInterval: "0s" } } } }, "retry.perRetry.backOff.baseInterval is 0s,"],
        [{ healthCheck: { panicThreshold: 1 } }, "healthCheck.panicThreshold is not implemented"],
        [{ timeout: { http: { maxStreamDuration: "1s" } } }, "timeout.http.maxStreamDuration is not implemented"],
      ] as const
    ).map(([backendSettings, text]): [Content, string] => [
      one(remote(http, { backendSettings })),
      `remoteJWKS.backendSettings.${text}`,
    ]),
    [one({ ...inline(), audiences: [""] }), "audiences[0] is empty;"],
    [one({ ...inline(), audiences: ["a", "x".repeat(1025)] }), "audiences[1] has more than 1024 characters;"],
    [one({ ...inline(), claimToHeaders: [{ header: "host", claim: "a" }] }), "claimToHeaders[0].header is host,"],
    [one({ ...inline(), claimToHeaders: [{ header: "x", claim: "" }] }), "claimToHeaders[0].claim is empty;"],
    [
      one({ ...inline(), claimToHeaders: Array(65).fill({ header: "x", claim: "y" }) }),
      "claimToHeaders lists more than 64 claims;",
    ],
    [one({ ...inline(), extractFrom: { headers: [{ name: "a b" }] } }), "extractFrom.headers[0].name is"],
    [
      one({ ...inline(), extractFrom: { headers: [{ name: "a", valuePrefix: "b\n" }] } }),
      "extractFrom.headers[0].valuePrefix holds a line break",
    ],
    [one({ ...inline(), extractFrom: { cookies: ["a", "b "] } }), "extractFrom.cookies[1] is"],
    [one({ ...inline(), extractFrom: { params: [""] } }), "extractFrom.params[0] is empty;"],
    [one({ ...inline(), extractFrom: { params: Array(65).fill("a") } }), "extractFrom lists more than 64 places;"],
  ])("%j", (spec, start) => {
    const plan = planOf(spec);
    expect(plan.security).toEqual({ refused: true });
    const [message = ""] = plan.refused.map(({ field, text }) => problemAt("Accepted", "Invalid", field, text).message);
    expect(message.slice(0, start.length + 28)).toBe(`Field spec.jwt.providers[0].${start}`);
    expect(message).toMatch(explained);
    expect(message).not.toContain("tell-nobody");
  });

  test("two providers of one name", () => {
    const provider = { name: "p", ...inline() };
    expect(planOf({ jwt: { providers: [provider, provider] } }).refused).toEqual([
      { field: "spec.jwt.providers[1].name", text: "is p, as another one is called; rename one of them" },
    ]);
  });
});

test("keys are public ones that Envoy knows, and nothing else of the set", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
  const ed = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  const others = [
    ...[
      { use: "enc" },
      { crv: "secp256k1" },
      { x: 1 },
      { x: key.y },
      { alg: "ES384" },
      { alg: 1 },
      { alg: "none" },
    ].map((change) => ({ ...key, ...change })),
    ...[{ kid: 1 }, { kid: "\ud800" }, { kid: "\n" }, { kid: "x".repeat(1025) }].map((change) => ({
      ...key,
      ...change,
    })),
    ...[{ alg: "ES256" }, { e: "Ag" }, { e: "AQ" }, { n: "AQ" }].map((change) => ({ ...rsa, ...change })),
    ...[short, { kty: "oct", k: "c2VjcmV0" }, { kty: "__proto__" }, null, []],
  ];
  const more = { ...key, kid: "ü", alg: "ES256", extra: "x", x: `${key.x}=` };
  const written = JSON.stringify({ keys: [...others, more, { ...rsa, use: "sig", alg: "PS384" }, ed], more: 1 });
  expect(JSON.parse(readJwks(written) as string)).toEqual({
    keys: [{ ...key, kid: "ü", alg: "ES256" }, { kty: "RSA", alg: "PS384", n: rsa.n, e: rsa.e }, ed],
  });
});

test("what is served means what it says", () => {
  expect(planOf(one(byRef("named"), { optional: true })).security.model?.jwt).toEqual({
    providers: [
      {
        ...{ name: "p", audiences: [], keys: { local: readJwks(keySet) } },
        ...{ headers: [], parameters: [], cookies: [], claims: [], recomputesRoute: false },
      },
    ],
    tolerates: "missing",
  });
  expect(planOf(one(byRef("unnamed"))).security.model?.jwt?.tolerates).toBe("nothing");
  const serverOf = (provider: Content) => planOf(one(provider)).security.model?.servers?.["jwks/p"];
  expect(serverOf(remote("https://keys.test/jwks"))).toMatchObject({
    reach: { kind: "Dns", endpoints: [{ address: { host: "keys.test", port: 443 } }] },
    tls: { sni: "keys.test", trust: "System", insecureSkipVerify: false },
  });
  expect(serverOf(remote("http://10.0.0.1:8080/"))).toMatchObject({
    reach: { endpoints: [{ address: { host: "10.0.0.1", port: 8080 } }] },
  });
  expect(serverOf(remote(http, served("granted", { namespace: "b" })))?.reach).toMatchObject({ key: "b/granted" });
  expect(serverOf(remote(http, served("keys", { port: 81 })))?.protocol).toBe("http2");
  expect(serverOf(remote("https://keys.test/", backend("tls")))?.tls?.sni).toBe("keys.example.com");
  const two = [
    { name: "keys", port: 80 },
    { name: "granted", namespace: "b", port: 80, weight: 2 },
  ];
  expect(serverOf(remote(http, { backendRefs: two }))?.reach).toMatchObject({ kind: "Fallback" });
  const tcp = { connectTimeout: "1s" };
  expect(
    serverOf(remote(http, { backendSettings: { retry: {}, timeout: { tcp, http: { requestTimeout: "2s" } } } }))
      ?.connection,
  ).toEqual({ timeout: { tcp } });
});

test("providers are merged as a whole, with what they lead to", () => {
  const child = planOf({ jwt: { optional: true, providers: [{ name: "c", ...byRef("named") }] } });
  const parent = planOf({ jwt: { providers: [{ name: "p", ...byRef("absent") }] } }, "b");
  expect(parent.security).toEqual({ refused: true });
  const merged = mergeSecurity(child, parent, "StrategicMerge").security.model?.jwt;
  expect(merged?.providers.map(({ name }) => name)).toEqual(["c"]);
  expect(mergeSecurity(planOf({ csrf: {} }), parent, "StrategicMerge").security).toEqual({ refused: true });
});
