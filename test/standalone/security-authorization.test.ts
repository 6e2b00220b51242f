import { beforeAll, expect, test } from "@jest/globals";
import { good } from "../../src/attach/cel-match.test-support.ts";
import { readCel } from "../../src/attach/cel-match.ts";
import { exchangeBytes } from "./exchange-bytes.ts";
import { documented, type SecurityCase, testSecurityCases } from "./security-world.ts";
import { bearer, createIssuer, documentedIssuer, keySetOf } from "./tokens.ts";
import { toYaml } from "./traffic-world.ts";

/** Which requests pass by what they are and whom they come from. The first rule that matches decides. */

const issuer = createIssuer("one");
const jwt = {
  optional: true,
  providers: [
    { name: "p", issuer: "i", localJWKS: { type: "Inline", inline: keySetOf(issuer) } },
    { name: "q", issuer: "j", localJWKS: { type: "Inline", inline: keySetOf(issuer) } },
  ],
};
const claiming = (claims: object) => bearer(issuer.issue({ iss: "i", ...claims }));
const from = (address: string) => ({ "x-forwarded-for": address });
const everybody = { clientCIDRs: ["0.0.0.0/0", "::/0"] };
const allow = (rule: object) => ({ authorization: { rules: [{ action: "Allow", ...rule }] } });
const allowPath = (type: string, value: string, more: object = {}) =>
  allow({ principal: everybody, operation: { path: { type, value, ...more } } });

/** Paths that pass, and paths that do not. */
const paths: readonly [spec: Readonly<Record<string, unknown>>, good: string[], bad: string[]][] = [
  [allowPath("Exact", "/a.b"), ["/a.b", "/a.b?c=d", "/a.b?"], ["/", "/axb", "/a.b/", "/a.b/c", "/x?/a.b", "/A.b"]],
  [allowPath("PathPrefix", "/a"), ["/a", "/a/", "/a/b?c", "/a?b"], ["/", "/ab", "/b/a", "/?/a", "/a/../b", "/A"]],
  [allowPath("PathPrefix", "/a/"), ["/a", "/a/b"], ["/ab", "/"]],
  [allowPath("PathPrefix", "/"), ["/", "/a?b"], []],
  [allowPath("RegularExpression", "/a/.*\\.css"), ["/a/b.css", "/a/b/c.css?d"], ["/a/b?.css", "/a/bcss", "/x/a/b.css"]],
  [allowPath("RegularExpression", "/a|/b"), ["/a", "/b?c"], ["/a/b", "/ab", "/c?/a"]],
  [allowPath("PathPrefix", "/a", { invert: true }), ["/", "/ab"], ["/a", "/a/b", "/a?b"]],
];

/** What lets a request for /a/b?c=d with these headers pass, and none for /b with the others. */
const expressions: readonly [cel: string, headers: Record<string, string>, others?: Record<string, string>][] = [
  ["request.headers['x-a'] == 'yes' && request.path.startsWith('/a')", { "x-a": "yes" }, { "x-a": "yes" }],
  ["has(request.headers.team)", { team: "" }],
  ["'x-a' in request.headers && !(request.headers['x-a'] in ['b', \"c\"])", { "x-a": "a" }, { "x-a": "b" }],
  ["request.url_path.matches('^/a/[a-z]$') ? size(request.headers['x-a']) > 1 : false", { "x-a": "ab" }],
  ["int(request.headers['n']) * 2 - 1 >= {'a': 3}['a'] || request.method != 'GET'", { n: "2" }, { n: "1" }],
  ["re.extract(request.path, '/a/(.)', 'x\\\\1') == 'xb'", {}],
  ["-1.5 < double(request.headers['n']) && null == null && true", { n: "0" }, { n: "-2" }],
];

/** As deep as it may be. */
const deep = [
  Array(39).fill("a").join(" && "),
  `${"!".repeat(39)}a`,
  `${"[".repeat(39)}${"]".repeat(39)} == a`,
  `a${".b".repeat(39)}`,
];

const cases: readonly SecurityCase[] = [
  {
    name: "office",
    ...documented("office"),
    async check({ status }) {
      for (const [address, wanted] of [
        ["10.1.2.3", 200],
        ["10.9.1.2", 403],
        ["192.0.2.7", 403],
        ["fd00:1::2", 200],
        ["2001:db8::1", 403],
        // The address nearest to us is what counts.
        ["10.1.2.3, 192.0.2.7", 403],
        ["192.0.2.7, 10.1.2.3", 200],
      ] as const) {
        expect([address, await status({ headers: from(address) })]).toEqual([address, wanted]);
      }
      expect(await status()).toBe(403);
    },
  },
  {
    name: "editors",
    ...documented("editors"),
    async check({ status }) {
      const claims = {
        ...{ iss: "https://login.example.com", scope: "articles.read articles.write" },
        ...{ roles: ["author", "editor"], team: { name: "news" } },
      };
      const ask = (changes: object, method = "POST", path = "/articles/1") =>
        status({
          method,
          path,
          headers: { authorization: `Bearer ${documentedIssuer.issue({ ...claims, ...changes })}` },
        });
      expect(await ask({})).toBe(200);
      expect(await ask({}, "GET", "/other")).toBe(200);
      expect(await ask({}, "PUT", "/other")).toBe(403);
      expect(await ask({}, "DELETE")).toBe(403);
      for (const changes of [
        { scope: "articles.read" },
        { scope: "articles.writer" },
        { roles: ["author"] },
        { roles: "editor" },
        { team: { name: "sports" } },
        { team: "news" },
      ]) {
        expect([changes, await ask(changes)]).toEqual([changes, 403]);
      }
      expect(await ask({ scope: ["articles.write"] })).toBe(200);
      expect(await status()).toBe(401);
    },
  },
  ...paths.map(
    ([spec, good, bad], index): SecurityCase => ({
      name: `path ${index}`,
      spec,
      async check({ status }) {
        for (const path of good) expect([path, await status({ path })]).toEqual([path, 200]);
        for (const path of bad) expect([path, await status({ path })]).toEqual([path, 403]);
      },
    }),
  ),
  {
    name: "headers, each of which must have one of its values",
    spec: allow({
      principal: {
        headers: [
          { name: "X-Team", values: ["a", "b"] },
          { name: "x-level", values: ["1"] },
        ],
      },
    }),
    async check({ status }) {
      const ask = (headers: Readonly<Record<string, string>>) => status({ headers });
      expect(await ask({ "x-team": "b", "x-level": "1" })).toBe(200);
      for (const headers of [
        { "x-team": "b" },
        { "x-team": "ab", "x-level": "1" },
        { "x-team": "A", "x-level": "1" },
      ]) {
        expect(await ask(headers as Record<string, string>)).toBe(403);
      }
    },
  },
  {
    name: "claims of the provider that is named",
    spec: {
      jwt,
      ...allow({ principal: { jwt: { provider: "p", claims: [{ name: "sub", values: ["a", "b"] }] } } }),
    },
    async check({ status }) {
      const ask = (claims: object) => status({ headers: claiming(claims) });
      expect(await ask({ sub: "b" })).toBe(200);
      for (const claims of [{ sub: "c" }, { sub: "B" }, { sub: "" }, {}, { sub: "b", iss: "j" }]) {
        expect([claims, await ask(claims)]).toEqual([claims, 403]);
      }
      expect(await status()).toBe(403);
      expect(await status({ headers: { authorization: "Bearer x" } })).toBe(401);
    },
  },
  ...expressions.map(
    ([cel, headers, others = {}]): SecurityCase => ({
      name: `expression ${cel}`,
      spec: allow({ cel }),
      async check({ status }) {
        expect(await status({ path: "/a/b?c=d", headers })).toBe(200);
        expect(await status({ path: "/b", headers: others })).toBe(403);
      },
    }),
  ),
  {
    name: "all expressions that are taken",
    spec: {
      authorization: {
        rules: [...good, ...deep]
          .filter((cel) => "tree" in readCel(cel))
          .map((cel) => ({ action: "Deny", principal: { clientCIDRs: ["192.0.2.1/32"] }, cel })),
      },
    },
    check: async ({ status }) => expect(await status()).toBe(403),
  },
  {
    name: "all but what is denied",
    spec: {
      authorization: {
        defaultAction: "Allow",
        rules: [
          { action: "Allow", principal: everybody, operation: { methods: ["GET"], path: { value: "/admin/health" } } },
          { action: "Deny", principal: everybody, operation: { path: { value: "/admin" } } },
        ],
      },
    },
    async check({ status }) {
      expect(await status()).toBe(200);
      expect(await status({ path: "/admin/health" })).toBe(200);
      expect(await status({ path: "/admin/health", method: "POST" })).toBe(403);
      for (const path of ["/admin", "/admin/x", "//admin", "/x/../admin", "/./admin/?x"]) {
        expect([path, await status({ path })]).toEqual([path, 403]);
      }
    },
  },
  {
    name: "paths that are no text",
    spec: {
      authorization: {
        defaultAction: "Allow",
        rules: [
          {
            action: "Deny",
            principal: everybody,
            operation: { path: { type: "RegularExpression", value: "/admin.*" } },
          },
        ],
      },
    },
    async check({ host, status }) {
      expect(await status({ path: "/other" })).toBe(200);
      for (const path of ["/admin", "/admin/\xff", "/admin/\xc3\x28?a", "/admin/\u00fc"]) {
        const asked = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
        const answer = await exchangeBytes(world().port, Buffer.from(asked, "latin1"));
        expect(answer).toMatch(/^HTTP\/1\.1 40[03] /);
      }
    },
  },
  { name: "nobody", spec: { authorization: {} }, check: async ({ status }) => expect(await status()).toBe(403) },
  {
    name: "places, of which there is no database",
    spec: allow({ principal: { clientIPGeoLocations: [{ country: "DE" }] } }),
    check: async ({ status }) => expect(await status()).toBe(500),
  },
];

const world = testSecurityCases(cases);

beforeAll(async () => {
  world().files.writeAtomically(
    "clients.yaml",
    toYaml([
      {
        apiVersion: "gateway.envoyproxy.io/v1alpha1",
        kind: "ClientTrafficPolicy",
        metadata: { name: "clients" },
        spec: {
          targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "web" }],
          clientIPDetection: { xForwardedFor: { numTrustedHops: 1 } },
        },
      },
    ]),
  );
  await world().until(
    { host: world().placeOf("office").host, headers: from("10.1.2.3") },
    ({ status }) => status === 200,
  );
}, 60_000);

test("Envoy refuses no expression that is taken", async () => {
  const envoy = await world().gatehouse().envoyAdmin();
  const rejected = await envoy.admin("/stats?filter=update_rejected&usedonly");
  expect(rejected.split("\n").filter((line) => !/: 0$|^$/.test(line))).toEqual([]);
});
