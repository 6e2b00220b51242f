import { createHash } from "node:crypto";
import { describe, expect, test } from "@jest/globals";
import { problemAt } from "../../base/problems.ts";
import { explained, readObjects } from "../objects.test-support.ts";
import { readHtpasswd } from "./htpasswd.ts";
import type { SecurityPlan } from "./model.ts";
import { planWritten } from "./plan.test-support.ts";
import { mergeSecurity } from "./plan.ts";

type Content = Record<string, unknown>;

const sha = (password: string) => `{SHA}${createHash("sha1").update(password).digest("base64")}`;
const [alice, bob] = [`alice:${sha("tell-nobody-a")}`, `bob:${sha("tell-nobody-b")}`];
const secret = (name: string, stringData: Record<string, string>, namespace = "a") => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace },
  stringData,
});
const objects = readObjects(
  `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: b}
spec: {from: [{group: gateway.envoyproxy.io, kind: SecurityPolicy, namespace: a}], to: [{group: "", kind: Secret, name: granted}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: of-others, namespace: c}
spec: {from: [{group: gateway.envoyproxy.io, kind: BackendTrafficPolicy, namespace: a}], to: [{group: "", kind: Secret}]}
`,
  [
    secret("users", { ".htpasswd": `${bob}\n${alice}\n` }),
    secret("apr1", { ".htpasswd": `${alice}\nbob:$apr1$abc$tell-nobody\n` }),
    secret("empty", { ".htpasswd": "# nobody\n" }),
    secret("large", { ".htpasswd": `#${"x".repeat(64 * 1024)}\n${alice}` }),
    secret("keys", { one: "tell-nobody-1", two: "tell-nobody-2" }),
    secret("more-keys", { one: "tell-nobody-3", three: "tell-nobody-4" }),
    secret("same-keys", { four: "tell-nobody-1" }),
    secret("broken-keys", { five: "tell-nobody-5\n" }),
    secret("no-keys", {}),
    secret("odd-keys", { "a b": "tell-nobody-6" }),
    secret("large-keys", { six: "k".repeat(40_000), seven: "l".repeat(40_000) }),
    secret("granted", { ".htpasswd": bob }, "b"),
    secret("kept", { ".htpasswd": bob }, "b"),
    secret("kept", { ".htpasswd": bob }, "c"),
    secret("users", { ".htpasswd": bob }, "b"),
  ],
);

function planOf(spec: Content, namespace = "a"): SecurityPlan {
  return planWritten(spec, objects, { namespace });
}

const basic = (name: string, more: Content = {}) => ({ basicAuth: { users: { name }, ...more } });
const keys = (names: string[], more: Content = {}) => ({
  apiKeyAuth: { credentialRefs: names.map((name) => ({ name })), extractFrom: [{ headers: ["x-key"] }], ...more },
});
const inNamespace = (namespace: string, name: string) => ({ basicAuth: { users: { name, namespace } } });

describe("refused, and the status says so", () => {
  test.each<[Content, string]>([
    [basic("absent"), "spec.basicAuth.users names Secret a/absent, which does not exist;"],
    [basic("keys"), "spec.basicAuth.users names Secret a/keys, which has no key .htpasswd;"],
    [basic("empty"), "spec.basicAuth.users names Secret a/empty, whose .htpasswd has no user in it;"],
    [basic("large"), "spec.basicAuth.users names Secret a/large, whose .htpasswd has more than 65536 bytes;"],
    [basic("apr1"), "spec.basicAuth.users names Secret a/apr1, whose .htpasswd has in line 2 an MD5 hash (apr1)"],
    [{ basicAuth: { users: { name: "users", kind: "ConfigMap" } } }, "spec.basicAuth.users names a ConfigMap;"],
    [
      { basicAuth: { users: { name: "users", group: "x.io", kind: "S" } } },
      "spec.basicAuth.users names a S of group x.io;",
    ],
    [inNamespace("b", "kept"), "spec.basicAuth.users names Secret b/kept, and no ReferenceGrant of namespace b"],
    [inNamespace("b", "unknown"), "spec.basicAuth.users names Secret b/unknown, and no ReferenceGrant of namespace b"],
    [inNamespace("c", "kept"), "spec.basicAuth.users names Secret c/kept, and no ReferenceGrant of namespace c"],
    [basic("users", { forwardUsernameHeader: ":path" }), "spec.basicAuth.forwardUsernameHeader is"],
    [basic("users", { forwardUsernameHeader: "Host" }), "spec.basicAuth.forwardUsernameHeader is Host,"],
    [keys(["keys", "absent"]), "spec.apiKeyAuth.credentialRefs[1] names Secret a/absent, which does not exist;"],
    [keys(["no-keys"]), "spec.apiKeyAuth.credentialRefs name no key at all,"],
    [
      keys(["odd-keys"]),
      "spec.apiKeyAuth.credentialRefs[0] names Secret a/odd-keys, which has an entry that no client",
    ],
    [
      keys(["keys"], { extractFrom: [{ params: ["a", "x".repeat(257)] }] }),
      "spec.apiKeyAuth.extractFrom[0].params[1] has more than 256 characters;",
    ],
    [keys([]), "spec.apiKeyAuth.credentialRefs name no key at all,"],
    [keys(["broken-keys"]), "spec.apiKeyAuth.credentialRefs[0] names Secret a/broken-keys, whose key of client five"],
    [
      keys(["keys", "same-keys"]),
      "spec.apiKeyAuth.credentialRefs[1] names Secret a/same-keys, whose client four has the key of client one of Secret a/keys,",
    ],
    [keys(["large-keys"]), "spec.apiKeyAuth.credentialRefs name more than 65536 bytes of keys;"],
    [keys(["keys"], { forwardClientIDHeader: "te" }), "spec.apiKeyAuth.forwardClientIDHeader is te,"],
    [keys(["keys"], { extractFrom: [{ headers: ["a b"] }] }), "spec.apiKeyAuth.extractFrom[0].headers[0] is"],
    [
      keys(["keys"], { extractFrom: [{ params: ["a b"] }, { cookies: ["a", "b c"] }] }),
      "spec.apiKeyAuth.extractFrom[1].cookies[1] is",
    ],
    [
      keys(["keys"], { extractFrom: [{ params: Array.from({ length: 65 }, (_, index) => `p${index}`) }] }),
      "spec.apiKeyAuth.extractFrom lists more than 64 places;",
    ],
    [{ cors: { allowMethods: ["GET", "G E T"] } }, "spec.cors.allowMethods[1] is"],
    [{ cors: { allowHeaders: ["x:y"], exposeHeaders: ["x\ny"] } }, "spec.cors.allowHeaders[0] is"],
  ])("%j", (spec, start) => {
    const plan = planOf(spec);
    expect(plan.security).toEqual({ refused: true });
    const messages = plan.refused.map(({ field, text }) => problemAt("Accepted", "Invalid", field, text).message);
    expect(messages[0]?.startsWith(`Field ${start}`) ? start : messages[0]).toBe(start);
    for (const message of messages) {
      expect(message).toMatch(explained);
      expect(message).not.toContain("tell-nobody");
    }
  });
});

test("what is served means what it says", () => {
  expect(planOf(basic("users", { forwardUsernameHeader: "X-User" })).security.model).toEqual({
    basicAuth: { users: `${bob}\n${alice}`, userHeader: "X-User" },
  });
  expect(planOf(inNamespace("b", "granted")).security.model?.basicAuth?.users).toBe(bob);
  const extractFrom = [{ headers: ["a", "b"] }, { params: ["c"] }, { cookies: ["d"] }];
  expect(planOf(keys(["keys", "more-keys"], { extractFrom, sanitize: true })).security.model).toEqual({
    apiKeyAuth: {
      keys: [
        { client: "one", key: "tell-nobody-1" },
        { client: "two", key: "tell-nobody-2" },
        { client: "three", key: "tell-nobody-4" },
      ],
      places: [{ header: "a" }, { header: "b" }, { query: "c" }, { cookie: "d" }],
      hidesKey: true,
    },
  });
  expect(planOf({ csrf: { shadowFraction: { numerator: 1, denominator: 4 } } }).security.model).toEqual({
    csrf: { additionalOrigins: [], enforcedMillionths: 750_000 },
  });
});

describe.each(["StrategicMerge", "JSONMerge"] as const)("%s", (mergeType) => {
  test("follows references from the namespace of the policy that has them", () => {
    const child = planOf({ cors: { allowOrigins: ["*"] } });
    // In its own namespace b the parent's Secret is another one than in the child's.
    const merged = mergeSecurity(child, planOf(basic("users"), "b"), mergeType).security.model;
    expect(merged?.basicAuth?.users).toBe(bob);
    expect(merged?.cors?.allowOrigins).toEqual(["*"]);
  });

  test("takes references as a whole: a bad one counts as long as nothing takes its place", () => {
    const parent = planOf(basic("absent", { forwardUsernameHeader: "x-user" }));
    expect(mergeSecurity(planOf(basic("users")), parent, mergeType).security.model).toEqual({
      basicAuth: { users: `${bob}\n${alice}`, userHeader: "x-user" },
    });
    expect(mergeSecurity(planOf({ csrf: {} }), parent, mergeType).security).toEqual({ refused: true });
    expect(mergeSecurity(parent, planOf(basic("users")), mergeType).security).toEqual({ refused: true });
    const ofBoth = mergeSecurity(planOf(keys(["more-keys"])), planOf(keys(["keys", "absent"])), mergeType).security
      .model;
    expect(ofBoth?.apiKeyAuth?.keys.map(({ client }) => client)).toEqual(["one", "three"]);
  });

  test("refuses what one of both refuses for its fields", () => {
    const bad = planOf({ authorization: { rules: [{ action: "Allow", cel: "a ==" }] } });
    expect(mergeSecurity(planOf({ csrf: {} }), bad, mergeType).security).toEqual({
      refused: true,
      connectionsRefused: true,
    });
    expect(mergeSecurity(bad, planOf({ csrf: {} }), mergeType).security).toMatchObject({ refused: true });
  });
});

test.each<[string, string]>([
  ["no colon", "has in line 1 no user and hash with a colon between them;"],
  [`:${sha("x")}`, "has in line 1 no user and hash with a colon between them;"],
  ["a:", "has in line 1 no hash that is known,"],
  ["a:plain", "has in line 1 no hash that is known,"],
  [`a:${sha("x").slice(0, -1)}`, "has in line 1 a {SHA} hash of the wrong length,"],
  [`${alice}\n\na:$2y$05$x\nb:$2b$05$y`, "has in lines 3, 4 a bcrypt hash,"],
  ["a:$1$x$y\nb:$5$x$y", "has in line 1 an MD5 hash,"],
  ["a:$6$x$y", "has in line 1 a SHA-512 hash,"],
  [`${alice}\r\n${alice}`, "has in line 2 a user that stands further up already;"],
  [`a\u0007b:${sha("x")}`, "has in line 1 a control character in the name of the user;"],
  [
    Array.from({ length: 12 }, (_, index) => `u${index}:x`).join("\n"),
    "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more no",
  ],
])("the users %j", (text, fault) => {
  expect(readHtpasswd(text)).toEqual({ fault: expect.stringContaining(fault) });
});
