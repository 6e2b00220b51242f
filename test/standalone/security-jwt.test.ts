import { expect, test } from "@jest/globals";
import { waitFor } from "../harness/waiting.ts";
import { exchangeBytes } from "./exchange-bytes.ts";
import { policyOfRoute } from "./policy-objects.ts";
import { documented, type SecurityCase, type SecurityPlace, testSecurityCases } from "./security-world.ts";
import { bearer, createIssuer, documentedIssuer, keySetOf } from "./tokens.ts";

/** Tokens that are good, and all that is not, with keys that are written down and change while Envoy serves. */

const [one, two, three] = [createIssuer("one"), createIssuer("two", "RS256"), createIssuer("three", "EdDSA")];
const stranger = createIssuer("one");

const local = (...issuers: readonly (typeof one)[]) => ({ type: "Inline", inline: keySetOf(...issuers) });
const configMap = (name: string, jwks: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data: { jwks },
});
const valueRef = (name: string) => ({ type: "ValueRef", valueRef: { group: "", kind: "ConfigMap", name } });
const status = (place: SecurityPlace, token?: string, headers: Readonly<Record<string, string>> = {}) =>
  place.status({ headers: { ...headers, ...(token !== undefined && bearer(token)) } });
const past = Math.floor(Date.now() / 1000) - 3600;

/** All that is no good token of an issuer `i` for audience `a`. */
const bad = [
  "",
  "x.y.z",
  one.issue({ iss: "i", aud: "a", exp: past }),
  one.issue({ iss: "i", aud: "a", nbf: past + 7200 }),
  one.issue({ iss: "other", aud: "a" }),
  one.issue({ aud: "a" }),
  one.issue({ iss: "i", aud: "other" }),
  one.issue({ iss: "i" }),
  stranger.issue({ iss: "i", aud: "a" }),
  two.issue({ iss: "i", aud: "a" }),
  `${Buffer.from('{"alg":"none"}').toString("base64url")}.${one.issue({ iss: "i", aud: "a" }).split(".")[1]}.`,
  one.issue({ iss: "i", aud: "a" }).slice(0, -8),
];
/** Those of them that are for another audience. */
const ofOthers = bad.slice(6, 8);
const good = one.issue({ iss: "i", aud: ["b", "a"] });
const provider = { name: "p", issuer: "i", audiences: ["a", "c"] };

const cases: readonly SecurityCase[] = [
  {
    name: "customers",
    ...documented("customers"),
    async check(place) {
      const claims = { iss: "https://login.example.com", aud: "shop", sub: "alice", plan: { name: "gold" } };
      const token = documentedIssuer.issue(claims);
      expect(await status(place)).toBe(401);
      expect(await status(place, documentedIssuer.issue({ ...claims, aud: "other" }))).toBe(403);
      const spoofed = { "x-user": "root", "x-plan": "root" };
      for (const options of [
        { headers: { ...spoofed, ...bearer(token) } },
        { headers: { ...spoofed, cookie: `a=b; session=${token}` } },
        { headers: spoofed, path: `/?token=${token}` },
      ]) {
        const { received } = await place.send(options);
        expect([received?.headers["x-user"], received?.headers["x-plan"]]).toEqual(["alice", "gold"]);
      }
      // Where nobody is said to look.
      expect(await place.status({ headers: { "x-token": token } })).toBe(401);
      expect(await place.status({ path: `/?access_token=${token}` })).toBe(401);
    },
  },
  {
    name: "what is no good token",
    spec: { jwt: { providers: [{ ...provider, localJWKS: local(one) }] } },
    async check(place) {
      expect(await status(place, good)).toBe(200);
      expect((await place.send({ headers: bearer(good) })).received?.headers["authorization"]).toBe(`Bearer ${good}`);
      expect(await place.status({ path: `/?access_token=${good}` })).toBe(200);
      expect(await status(place)).toBe(401);
      for (const token of bad) {
        expect([token, await status(place, token)]).toEqual([token, ofOthers.includes(token) ? 403 : 401]);
      }
      for (const method of ["OPTIONS", "HEAD", "DELETE"]) expect(await place.status({ method })).toBe(401);
    },
  },
  {
    name: "tunnels",
    spec: { jwt: { providers: [{ ...provider, localJWKS: local(one) }] } },
    objects: [
      policyOfRoute("BackendTrafficPolicy", "case-2", {
        httpUpgrade: [{ type: "CONNECT", connect: { terminate: true } }],
      }),
    ],
    async check(place) {
      expect(place.host).toBe("case-2.example.com");
      const asked = `CONNECT ${place.host}:80 HTTP/1.1\r\nhost: ${place.host}:80\r\nconnection: close\r\n`;
      const inside = "GET / HTTP/1.1\r\nhost: inside.test\r\nconnection: close\r\n\r\n";
      expect(await exchangeBytes(world().port, `${asked}\r\n`, inside)).toMatch(/^HTTP\/1\.1 401 /);
      const taken = await exchangeBytes(world().port, `${asked}authorization: Bearer ${good}\r\n\r\n`, inside);
      expect(taken).toMatch(/^HTTP\/1\.1 200 .*"inside.test"/s);
    },
  },
  {
    name: "every request, whatever its path",
    spec: { jwt: { providers: [{ ...provider, localJWKS: local(one) }] } },
    rule: { matches: [{ path: { type: "RegularExpression", value: ".*" } }] },
    async check(place) {
      for (const path of ["/", "/a?b", "//", "/%2e%2e/"]) expect(await place.status({ path })).not.toBe(200);
      expect((await place.send({ method: "OPTIONS", path: "*" })).received).toBeUndefined();
    },
  },
  {
    name: "tokens of several issuers, and what each of them may tell",
    spec: {
      jwt: {
        providers: [
          { name: "one", issuer: "i", localJWKS: local(one), claimToHeaders: [{ claim: "sub", header: "X-One" }] },
          { name: "two", issuer: "i2", localJWKS: local(two), claimToHeaders: [{ claim: "sub", header: "X-Two" }] },
          {
            name: "three",
            localJWKS: local(three),
            extractFrom: { headers: [{ name: "x-token", valuePrefix: "T " }] },
          },
        ],
      },
    },
    async check(place) {
      const told = async (headers: Readonly<Record<string, string>>) => {
        const { received, status: code } = await place.send({
          headers: { "x-one": "root", "x-two": "root", ...headers },
        });
        return received ? [received.headers["x-one"], received.headers["x-two"]] : code;
      };
      expect(await told(bearer(one.issue({ iss: "i", sub: "a" })))).toEqual(["a", undefined]);
      expect(await told(bearer(two.issue({ iss: "i2", sub: "b" })))).toEqual([undefined, "b"]);
      expect(await told({ "x-token": `T ${three.issue({ iss: "whoever", sub: "c" })}` })).toEqual([
        undefined,
        undefined,
      ]);
      expect(await told(bearer(two.issue({ iss: "i" })))).toBe(401);
      expect(await told(bearer(three.issue({ iss: "whoever" })))).toBe(401);
      expect(await told({})).toBe(401);
    },
  },
  {
    name: "no token, where one is optional",
    spec: {
      jwt: {
        optional: true,
        providers: [{ ...provider, localJWKS: local(one), claimToHeaders: [{ claim: "sub", header: "X-User" }] }],
      },
    },
    async check(place) {
      const { received } = await place.send({ headers: { "x-user": "root" } });
      expect([received === undefined, received?.headers["x-user"]]).toEqual([false, undefined]);
      for (const token of bad.slice(1)) expect(await status(place, token)).not.toBe(200);
      expect(await status(place, good)).toBe(200);
    },
  },
  {
    name: "any token, where failures pass",
    spec: {
      jwt: {
        failOpen: true,
        providers: [{ ...provider, localJWKS: local(one), claimToHeaders: [{ claim: "sub", header: "X-User" }] }],
      },
    },
    async check(place) {
      for (const token of bad) {
        const { received } = await place.send({ headers: { ...bearer(token), "x-user": "root" } });
        expect([received === undefined, received?.headers["x-user"]]).toEqual([false, undefined]);
      }
    },
  },
  {
    name: "another route by a claim",
    spec: {
      jwt: {
        providers: [
          {
            name: "p",
            localJWKS: local(one),
            claimToHeaders: [{ claim: "tier", header: "x-tier" }],
            recomputeRoute: true,
          },
        ],
      },
    },
    objects: [
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: { name: "gold" },
        spec: {
          parentRefs: [{ name: "web" }],
          hostnames: ["case-7.example.com"],
          rules: [
            {
              matches: [{ headers: [{ name: "x-tier", value: "gold" }] }],
              filters: [{ type: "RequestRedirect", requestRedirect: { statusCode: 302, hostname: "gold.test" } }],
            },
          ],
        },
      },
    ],
    async check(place) {
      expect(place.host).toBe("case-7.example.com");
      expect(await status(place, one.issue({ tier: "iron" }))).toBe(200);
      expect(await status(place, one.issue({ tier: "gold" }))).toBe(302);
    },
  },
  {
    name: "keys of a ConfigMap",
    spec: { jwt: { providers: [{ ...provider, localJWKS: valueRef("rotating") }] } },
    objects: [configMap("rotating", keySetOf(one))],
    check: async (place) => expect(await status(place, good)).toBe(200),
  },
];

const world = testSecurityCases(cases);

test("keys of a ConfigMap are changed and broken, and heal", async () => {
  const name = "keys of a ConfigMap";
  const [place, other] = [world().placeOf(name), world().placeOf("what is no good token")];
  const replace = (...objects: object[]) => world().replace(name, world().objectsOf(name, { objects }));
  const next = two.issue({ iss: "i", aud: "a" });
  const until = (token: string, wanted: number) =>
    waitFor(`an answer ${wanted}`, async () => (await status(place, token)) === wanted);
  replace(configMap("rotating", keySetOf(one, two)));
  await until(next, 200);
  expect(await status(place, good)).toBe(200);
  replace(configMap("rotating", keySetOf(two)));
  await until(good, 401);
  expect(await status(place, next)).toBe(200);
  for (const objects of [[], [configMap("rotating", "{")], [configMap("rotating", '{"keys": []}')]]) {
    replace(...objects);
    await until(next, 500);
    expect([await status(other, good), await status(other)]).toEqual([200, 401]);
    replace(configMap("rotating", keySetOf(two)));
    await until(next, 200);
    expect(await status(place)).toBe(401);
  }
}, 60_000);

test("no token is to be found in statuses, and no Envoy refused anything", async () => {
  const gatehouse = world().gatehouse();
  const envoy = await gatehouse.envoyAdmin();
  const signature = good.slice(good.lastIndexOf(".") + 1);
  for (const text of [
    await gatehouse.statusText(),
    await gatehouse.admin("/metrics"),
    await gatehouse.admin("/config"),
  ]) {
    expect(text).not.toContain(signature);
  }
  const rejected = await envoy.admin("/stats?filter=update_rejected&usedonly");
  expect(rejected.split("\n").filter((line) => !/: 0$|^$/.test(line))).toEqual([]);
});
