/** Rules of the CRD of SecurityPolicies beyond those of targets, each with settings that keep it and settings that break it. */

type Content = Record<string, unknown>;

type SettingsCase = readonly [message: string, valid: Content, invalid: Content];

const target = (kind: string) => [{ group: "gateway.networking.k8s.io", kind, name: "a" }];
const users = { name: "users" };
const keys = (place: Content) => ({ apiKeyAuth: { credentialRefs: [users], extractFrom: [place] } });
const localJWKS = { inline: "{}" };
const jwt = (provider: Content, more: Content = {}) => ({
  jwt: { providers: [{ name: "p", localJWKS, ...provider }], ...more },
});
const remote = (more: Content) =>
  jwt({ localJWKS: undefined, remoteJWKS: { uri: "https://idp.example.com/keys", ...more } });
const backend = { name: "server", port: 80 };
const oidc = (more: Content) => ({
  oidc: { provider: { issuer: "https://idp.example.com" }, clientID: "c", clientSecret: users, ...more },
});
const grpc = (more: Content) => ({ extAuth: { grpc: more } });
const http = (more: Content) => ({ extAuth: { http: { backendRefs: [backend], ...more } } });
const extension = (more: Content) => ({
  extAuth: { grpc: { backendRefs: [backend] }, contextExtensions: [{ name: "n", ...more }] },
});
const valueRef = { group: "", kind: "ConfigMap", name: "c", key: "k" };
const authorize = (rule: Content, more: Content = {}) => ({
  authorization: { rules: [{ action: "Allow", ...rule }] },
  ...more,
});
const principal = (content: Content) => authorize({ principal: content });
const clientCIDRs = ["10.0.0.0/8", "2001:db8::/32"];
const location = (content: Content) => principal({ clientIPGeoLocations: [content] });
const operation = (content: Content) => authorize({ principal: { clientCIDRs }, operation: content });

export const securityCases: readonly SettingsCase[] = [
  [
    "must be StrategicMerge or JSONMerge; leave it out to replace",
    { targetRefs: target("TCPRoute"), mergeType: "StrategicMerge" },
    { targetRefs: target("HTTPRoute"), mergeType: "Replace" },
  ],
  [
    "mergeType is for policies of routes only",
    { targetRefs: target("GRPCRoute"), mergeType: "JSONMerge" },
    { mergeType: "JSONMerge" },
  ],
  [
    "rules of authorization with principal.jwt need the field jwt",
    authorize({ principal: { jwt: { provider: "p", scopes: ["read"] } } }, jwt({})),
    authorize({ principal: { jwt: { provider: "p", scopes: ["read"] } } }),
  ],
  [
    "set exactly one of headers, params and cookies",
    keys({ params: ["key"] }),
    keys({ headers: ["x-key"], cookies: ["key"] }),
  ],
  [
    "numerator must not be above denominator",
    { csrf: { shadowFraction: { numerator: 1, denominator: 3 }, additionalOrigins: ["https://*.example.com:8443"] } },
    { csrf: { shadowFraction: { numerator: 4, denominator: 3 } } },
  ],
  ["set exactly one of remoteJWKS and localJWKS", remote({}), jwt({ localJWKS: undefined })],
  [
    "recomputeRoute needs claimToHeaders: only headers can lead to another route",
    jwt({ recomputeRoute: true, claimToHeaders: [{ claim: "sub", header: "x-user" }] }),
    jwt({ recomputeRoute: true }),
  ],
  [
    "type Inline needs the field inline alone, type ValueRef the field valueRef alone",
    jwt({ localJWKS: { type: "ValueRef", valueRef: { group: "", kind: "ConfigMap", name: "keys" } } }),
    jwt({ localJWKS: { type: "ValueRef", inline: "{}" } }),
  ],
  [
    "optional and failOpen exclude one another: failOpen takes requests without a token, too",
    jwt({}, { failOpen: true }),
    jwt({}, { failOpen: true, optional: true }),
  ],
  [
    "backendRef is not used any more: write backendRefs",
    remote({ backendRefs: [backend] }),
    remote({ backendRef: backend }),
  ],
  [
    "set exactly one of clientID and clientIDRef",
    oidc({ clientID: undefined, clientIDRef: { name: "client" } }),
    oidc({ clientIDRef: { name: "client" } }),
  ],
  [
    "must not be Host, which says where requests go",
    oidc({ forwardIDToken: { header: "X-Token" } }),
    oidc({ forwardIDToken: { header: "HOST" } }),
  ],
  [
    "forwardAccessToken takes the header Authorization: forward the ID token in another one",
    oidc({ forwardAccessToken: true, forwardIDToken: { header: "x-token" } }),
    oidc({ forwardAccessToken: true, forwardIDToken: { header: "Authorization" } }),
  ],
  ["set exactly one of grpc and http", http({}), { extAuth: { failOpen: true } }],
  ["name the server in backendRefs", grpc({ backendRef: backend }), grpc({ backendRefs: [] })],
  [
    "backendRefs may name Services, ServiceImports and Backends only",
    grpc({ backendRefs: [{ group: "gateway.envoyproxy.io", kind: "Backend", name: "b" }] }),
    grpc({ backendRefs: [{ group: "gateway.envoyproxy.io", kind: "Other", name: "b" }] }),
  ],
  [
    "backendRefs may name the core group, multicluster.x-k8s.io and gateway.envoyproxy.io only",
    http({ backendRefs: [{ group: "multicluster.x-k8s.io", kind: "ServiceImport", name: "b" }] }),
    http({ backendRefs: [{ group: "example.com", kind: "Backend", name: "b" }] }),
  ],
  [
    "path and pathOverride exclude one another",
    http({ pathOverride: "/check" }),
    http({ path: "/a", pathOverride: "/b" }),
  ],
  [
    "type Value needs the field value alone, type ValueRef the field valueRef alone",
    extension({ type: "ValueRef", valueRef }),
    extension({ value: "v", valueRef }),
  ],
  [
    "must name a ConfigMap or Secret",
    extension({ type: "ValueRef", valueRef: { ...valueRef, kind: "Secret" } }),
    extension({ type: "ValueRef", valueRef: { ...valueRef, kind: "Service" } }),
  ],
  ["set principal or cel", authorize({ cel: "request.method == 'GET'" }), authorize({ name: "empty" })],
  [
    "set one of clientCIDRs, clientIPGeoLocations, jwt and headers",
    principal({ headers: [{ name: "x-team", values: ["a"] }] }),
    principal({}),
  ],
  ["set one of country, region, city, asn, isp and anonymous", location({ country: "de" }), location({})],
  [
    "set one of isAnonymous, isVPN, isHosting, isTor and isProxy",
    location({ anonymous: { isTor: false } }),
    location({ anonymous: {} }),
  ],
  [
    "set claims or scopes",
    { ...principal({ jwt: { provider: "p", claims: [{ name: "sub", values: ["a"] }] } }), ...jwt({}) },
    { ...principal({ jwt: { provider: "p" } }), ...jwt({}) },
  ],
  ["set methods or path", operation({ methods: ["GET"], path: { invert: true } }), operation({})],
];

/** Origins as pages have them, and texts that are none; some take a backtracking engine for ever. */
export const origins = {
  valid: [
    "*",
    "https://example.com",
    "http://*",
    "https://*.example.com",
    "https://a_b.example-x.com:8443",
    "HTTPS://EXAMPLE.com",
    "capacitor://localhost",
    `https://${"a".repeat(245)}`,
  ],
  invalid: [
    "",
    "example.com",
    "https://",
    "https://exa*mple.com",
    "https://example.com/",
    "https://example..com",
    "https://.example.com",
    "https://example.com.",
    "https://example.com:123456",
    "https://*example.com",
    `https://${"a".repeat(200)}!`,
    `https://${"a".repeat(246)}`,
  ],
};
