import { describe, expect, test } from "@jest/globals";
import { readObjects } from "../objects.test-support.ts";
import type { SecurityPlan } from "./model.ts";
import { planWritten } from "./plan.test-support.ts";
import { mergeSecurity } from "./plan.ts";

type Content = Record<string, unknown>;

const SECRET = "nobody-is-to-read-this";
const read = readObjects(`
apiVersion: v1
kind: Secret
metadata: {name: good, namespace: a}
stringData: {client-secret: ${SECRET}, client-id: of-secret}
---
apiVersion: v1
kind: Secret
metadata: {name: good, namespace: b}
stringData: {client-secret: ${SECRET}}
---
apiVersion: v1
kind: Secret
metadata: {name: bad, namespace: a}
stringData: {client-secret: "${SECRET}\\u0001"}
---
apiVersion: v1
kind: Secret
metadata: {name: empty, namespace: a}
stringData: {client-secret: "\\n"}
`);
const objects = { ...read, settings: { ...read.settings, loginKey: "00" } };

function planOf(oidc: Content, name = "p", namespace = "a", reader = objects): SecurityPlan {
  return planWritten({ oidc }, reader, { name, namespace });
}

const provider = {
  issuer: "https://login.example.com",
  authorizationEndpoint: "https://login.example.com/auth",
  tokenEndpoint: "https://login.example.com/token",
};
const oidc = (more: Content = {}): Content => ({ provider, clientID: "c", clientSecret: { name: "good" }, ...more });
const at = (more: Content) => oidc({ provider: { ...provider, ...more } });
const plain = /^spec\.oidc\.?/;

describe("refused, and the status says so without the secret", () => {
  test.each<[Content, string]>([
    [at({ tokenEndpoint: undefined }), "provider.tokenEndpoint is missing, and looking it up"],
    [at({ authorizationEndpoint: undefined }), "provider.authorizationEndpoint is missing,"],
    [at({ authorizationEndpoint: "login" }), "provider.authorizationEndpoint is no address"],
    [at({ tokenEndpoint: "https://u:p@a.test/" }), "provider.tokenEndpoint holds credentials,"],
    [at({ tokenEndpoint: "https://192.0.2.1/" }), "provider.tokenEndpoint is https at an IP address,"],
    [at({ backendRefs: [{ name: "absent", port: 80 }] }), "provider.backendRefs[0] names Service a/absent,"],
    [at({ backendSettings: { retry: { numRetries: 1 } } }), "provider.backendSettings.retry is not implemented"],
    [oidc({ clientID: "c\n" }), "clientID has characters that no provider knows;"],
    [oidc({ clientID: undefined, clientIDRef: { name: "bad" } }), "clientIDRef names Secret a/bad, which has nothing"],
    [oidc({ clientSecret: { name: "absent" } }), "clientSecret names Secret a/absent, which does not exist;"],
    [oidc({ clientSecret: { name: "empty" } }), "clientSecret names Secret a/empty, which has nothing under the key"],
    [oidc({ clientSecret: { name: "bad" } }), "clientSecret names Secret a/bad, whose client-secret is longer"],
    [
      oidc({ clientSecret: { name: "good", namespace: "b" } }),
      "clientSecret names Secret b/good, and no ReferenceGrant",
    ],
    [oidc({ cookieNames: { idToken: "a;b" } }), 'cookieNames.idToken is "a;b", which is no name of a cookie;'],
    [
      oidc({ cookieNames: { accessToken: "a", idToken: "a" } }),
      "cookieNames.idToken is the cookie of the access token;",
    ],
    [oidc({ scopes: ["a b"] }), "scopes[0] is no scope;"],
    [oidc({ scopes: Array(65).fill("a") }), "scopes has more than 64 items;"],
    [oidc({ resources: ["https://a.test/#b"] }), "resources[0] is no address;"],
    ...["/cb", "https://a.test", "https://a.test/", "%REQ(x-evil)%://a/cb", "https://a.test/a?b", "https://a/%2e"].map(
      (redirectURL): [Content, string] => [oidc({ redirectURL }), "redirectURL is no address that users can come back"],
    ),
    ...["leave", "/", "/a?b", "/%2f"].map((logoutPath): [Content, string] => [
      oidc({ logoutPath }),
      "logoutPath is no plain path;",
    ]),
    [oidc({ logoutPath: "/oauth2/callback" }), "logoutPath is the path of redirectURL too;"],
    [oidc({ passThroughAuthHeader: true }), "passThroughAuthHeader is not implemented in this version;"],
    [oidc({ forwardIDToken: { header: "x" } }), "forwardIDToken is not implemented in this version;"],
    [
      oidc({ denyRedirect: { headers: [{ name: "a", value: "b" }] } }),
      "denyRedirect is not implemented in this version;",
    ],
  ])("%j", (written, text) => {
    const { refused, security } = planOf(written);
    const said = refused.map(({ field, text: why }) => `${field.replace(plain, "")} ${why}`);
    expect(said.map((each) => each.slice(0, text.length))).toContain(text);
    expect(security).toEqual({ refused: true });
    expect(JSON.stringify(refused)).not.toContain(SECRET);
  });

  test("where nothing is kept that logins could be known by", () => {
    const { refused } = planOf(oidc(), "p", "a", read as typeof objects);
    expect(refused).toMatchObject([
      { field: "spec.oidc", text: expect.stringMatching(/^is not implemented .*cluster/) },
    ]);
  });
});

test("what Envoy is told holds no secret, and names those that it is given", () => {
  const { security } = planOf(oidc({ clientID: undefined, clientIDRef: { name: "good" } }));
  expect(JSON.stringify(security)).not.toContain(SECRET);
  expect(security.model?.oidc).toMatchObject({ clientId: "of-secret", clientSecret: "oidc-client/a/good" });
  expect(security.model?.servers?.["oidc"]?.secrets?.map(({ name }) => name)).toEqual([
    "oidc-client/a/good",
    security.model?.oidc?.loginKey,
  ]);
});

test("each policy, client and provider has a key of its own", () => {
  const plans = [
    planOf(oidc()),
    planOf(oidc(), "q"),
    planOf(oidc(), "p", "b"),
    planOf(oidc({ clientID: "d" })),
    planOf(at({ issuer: "https://other.example.com" })),
    planOf(at({ tokenEndpoint: "https://login.example.com/other" })),
  ];
  expect(new Set(plans.map(({ security }) => security.model?.oidc?.loginKey)).size).toBe(plans.length);
  expect(new Set(plans.map(({ security }) => security.model?.oidc?.suffix)).size).toBe(3);
});

test("a merge takes a client and its provider from one policy", () => {
  const [child, parent] = [
    planOf(at({ tokenEndpoint: "https://evil.example.com/token" }), "child", "b"),
    planOf(at({ endSessionEndpoint: "https://login.example.com/end" }), "parent"),
  ];
  const { security } = mergeSecurity(child, parent, "StrategicMerge");
  expect(security.model?.oidc).toMatchObject({
    clientSecret: "oidc-client/b/good",
    tokenEndpoint: "https://evil.example.com/token",
  });
  expect(security.model?.oidc?.endSessionEndpoint).toBeUndefined();
  expect(security.model?.servers?.["oidc"]).toEqual(child.security.model?.servers?.["oidc"]);
});
