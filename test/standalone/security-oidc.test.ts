import { afterAll, expect, jest, test } from "@jest/globals";
import { waitFor } from "../harness/waiting.ts";
import { createCookieJar, logIn, startOpenIdProvider } from "./openid-provider.ts";
import { documented, type SecurityCase, type SecurityPlace, testSecurityCases } from "./security-world.ts";
import { serviceObjects } from "./traffic-world.ts";

/** Logins at a real OpenID provider, followed as a browser follows them. */

const SECRETS = { shop: "as-the-provider-shows-it", other: "the-secret-of-the-other-2" } as const;
const callback = (index: number) => `http://case-${index}.example.com/oauth2/callback`;
// The provider warns of what only matters outside of tests.
for (const level of ["warn", "info"] as const) jest.spyOn(console, level).mockImplementation(() => undefined);
const openId = await startOpenIdProvider([
  { id: "shop", secret: SECRETS.shop, redirectUrls: [0, 2, 3, 4].map(callback) },
  { id: "other", secret: SECRETS.other, redirectUrls: [callback(1)] },
]);
const provider = {
  issuer: openId.issuer,
  authorizationEndpoint: `${openId.issuer}/auth`,
  tokenEndpoint: `${openId.issuer}/token`,
};
const secret = (name: string, stringData: Readonly<Record<string, string>>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name },
  stringData,
});
const spec = (more: object = {}) => ({
  oidc: { provider, clientID: "shop", clientSecret: { name: "shop" }, ...more },
});
const login = documented("login");

async function begin(place: SecurityPlace, path = "/page?a=b") {
  const jar = createCookieJar();
  const asked = await place.send({ path, headers: { "x-forwarded-proto": "http" } });
  expect([asked.status, asked.received]).toEqual([302, undefined]);
  jar.keep(cookiesOf(asked.headers["set-cookie"]));
  return { jar, location: new URL(asked.headers["location"] as string) };
}

const cookiesOf = (header: string | readonly string[] | undefined): readonly string[] =>
  header === undefined ? [] : typeof header === "string" ? [header] : header;

/** A browser that has come back from the provider. */
async function enter(place: SecurityPlace, path?: string) {
  const { jar, location } = await begin(place, path);
  const back = new URL(await logIn(location.href, "alice"));
  const send = async (target: string) => {
    const answer = await place.send({ path: target, headers: { cookie: jar.header() } });
    jar.keep(cookiesOf(answer.headers["set-cookie"]));
    return answer;
  };
  return { jar, back, send, entered: await send(`${back.pathname}${back.search}`) };
}

const cases: readonly SecurityCase[] = [
  {
    name: "a login, and leaving",
    ...login,
    objects: [...login.objects, ...serviceObjects("login", [openId.port])],
    async check(place) {
      const { jar, location } = await begin(place);
      expect(location.origin + location.pathname).toBe("http://login.example.com/auth");
      const asked = location.searchParams;
      expect([asked.get("client_id"), asked.get("redirect_uri"), asked.get("scope"), asked.get("resource")]).toEqual([
        "shop",
        callback(0),
        "openid profile",
        null,
      ]);
      expect([asked.get("code_challenge_method"), asked.get("code_challenge")?.length]).toEqual(["S256", 43]);
      const back = new URL(await logIn(`${openId.issuer}/auth${location.search}`, "alice"));
      const send = async (path: string) => {
        const answer = await place.send({ path, headers: { cookie: jar.header() } });
        jar.keep(cookiesOf(answer.headers["set-cookie"]));
        return answer;
      };
      expect((await send(`${back.pathname}${back.search}`)).headers["location"]).toBe(
        "http://case-0.example.com/page?a=b",
      );
      expect((await send("/page")).received?.headers["authorization"]).toMatch(/^Bearer ./);
      expect((await send("/logout")).status).toBe(302);
      expect((await send("/page")).status).toBe(302);
      for (const method of ["OPTIONS", "POST", "HEAD"]) {
        expect((await place.send({ method })).received).toBeUndefined();
        expect(await place.status({ method })).not.toBe(200);
      }
    },
  },
  {
    name: "of another client",
    spec: spec({
      clientID: undefined,
      clientIDRef: { name: "other" },
      clientSecret: { name: "other" },
      cookieNames: { accessToken: "access", idToken: "id" },
      cookieConfig: { sameSite: "Strict" },
      logoutPath: "/leave",
      refreshToken: false,
      disableTokenEncryption: true,
      forwardAccessToken: true,
      defaultTokenTTL: "1h",
      defaultRefreshTokenTTL: "2h",
      csrfTokenTTL: "5m",
    }),
    objects: [secret("other", { "client-id": "other\n", "client-secret": `${SECRETS.other}\n` })],
    check: async (place) => {
      const { jar, entered, send } = await enter(place);
      expect([entered.status, openId.refused]).toEqual([302, []]);
      expect(jar.names()).toEqual(expect.arrayContaining(["access", "id"]));
      const { received } = await send("/");
      expect(received?.headers["authorization"]).toMatch(/^Bearer ./);
      const left = await send("/leave");
      expect(left.status).toBe(302);
      expect((await send("/")).received).toBeUndefined();
    },
  },
  {
    name: "what nobody has been given by Envoy",
    // So that hosts do not tell their cookies apart.
    spec: spec({ cookieDomain: "example.com" }),
    objects: [],
    async check(place) {
      const { jar, entered, send } = await enter(place);
      expect([entered.status, entered.headers["location"]]).toEqual([302, "http://case-2.example.com/page?a=b"]);
      const page = await send("/page?a=b");
      expect([page.status, page.received?.headers["authorization"]]).toEqual([200, undefined]);
      // Each cookie spoilt or gone, and all of them under the names of another policy.
      for (const name of jar.names().filter((each) => /^Oauth(HMAC|Expires)/.test(each))) {
        const others = jar
          .header()
          .split("; ")
          .filter((pair) => !pair.startsWith(`${name}=`));
        for (const cookie of [others.join("; "), [...others, `${name}=9999999999`].join("; ")]) {
          expect((await place.send({ headers: { cookie } })).received).toBeUndefined();
        }
      }
      const suffix = /OauthHMAC-(\w+)/.exec(jar.header())?.[1] ?? "";
      const there = world().placeOf("of the same client, by another policy");
      const foreign = /OauthHMAC-(\w+)/.exec((await enter(there)).jar.header())?.[1] ?? "";
      expect(foreign).not.toBe(suffix);
      const renamed = jar.header().replaceAll(`-${suffix}`, `-${foreign}`);
      expect((await there.send({ host: there.host, headers: { cookie: renamed } })).received).toBeUndefined();
      // A state that this browser never had, and one that nobody had.
      const second = await enter(place);
      const stolen = `${second.back.pathname}${second.back.search}`;
      expect((await place.send({ path: stolen })).received).toBeUndefined();
      expect(await place.status({ path: stolen })).toBe(401);
      expect(await place.status({ path: "/oauth2/callback?code=x&state=y" })).toBe(401);
      const forged: readonly Readonly<Record<string, string>>[] = [
        { authorization: "Bearer x" },
        { cookie: `OauthHMAC-${suffix}=; OauthExpires-${suffix}=9999999999; AccessToken-${suffix}=x` },
      ];
      for (const headers of forged) {
        expect((await place.send({ headers })).received).toBeUndefined();
      }
    },
  },
  {
    name: "of the same client, by another policy",
    // So that hosts do not tell their cookies apart.
    spec: spec({ cookieDomain: "example.com" }),
    check: async (place) => expect((await enter(place)).entered.status).toBe(302),
  },
  {
    name: "a Secret that comes, goes and changes",
    spec: spec({ clientSecret: { name: "changing" } }),
    objects: [secret("changing", { "client-secret": SECRETS.shop })],
    async check(place) {
      const name = "a Secret that comes, goes and changes";
      const set = (...objects: object[]) => world().replace(name, world().objectsOf(name, { objects }));
      const { send } = await enter(place);
      expect((await send("/")).status).toBe(200);
      for (const objects of [
        [],
        [secret("changing", { other: "x" })],
        [secret("changing", { "client-secret": "\u0001" })],
      ]) {
        set(...objects);
        await waitFor("a closed door", async () => (await send("/")).status === 500);
        expect(await world().placeOf("what nobody has been given by Envoy").status()).toBe(302);
        set(secret("changing", { "client-secret": SECRETS.shop }));
        await waitFor("an open door", async () => (await send("/")).status === 200);
        expect(await place.status()).toBe(302);
      }
      set(secret("changing", { "client-secret": "no-secret-of-the-provider" }));
      await waitFor("another secret to be in use", async () => (await enter(place)).entered.status !== 302);
      set(secret("changing", { "client-secret": SECRETS.shop }));
      await waitFor("the right secret to be in use", async () => (await enter(place)).entered.status === 302);
      expect(await place.status()).toBe(302);
    },
  },
  ...(
    [
      ["no endpoints", { provider: { issuer: openId.issuer } }],
      ["no way to look at tokens of others", { passThroughAuthHeader: true }],
      ["an address that nobody can come back to", { redirectURL: "%REQ(x-evil)%/" }],
    ] as const
  ).map(([name, more]) => ({
    name,
    spec: spec(more),
    check: async (place: SecurityPlace) => expect(await place.status()).toBe(500),
  })),
];

const world = testSecurityCases(cases, 60_000);

afterAll(async () => {
  await openId.stop();
}, 30_000);

test("logins outlive a restart, and no secret is to be found anywhere", async () => {
  const place = world().placeOf("what nobody has been given by Envoy");
  const { send } = await enter(place);
  expect((await send("/")).status).toBe(200);
  await world().gatehouse().kill9();
  await world().restart();
  await waitFor("the same login to be good", async () => (await send("/")).status === 200);
  const gatehouse = world().gatehouse();
  const envoy = await gatehouse.envoyAdmin();
  for (const text of [
    await gatehouse.statusText(),
    await gatehouse.admin("/metrics"),
    await gatehouse.admin("/config"),
    await envoy.admin("/config_dump?include_eds"),
  ]) {
    for (const hidden of Object.values(SECRETS)) {
      expect(text).not.toContain(hidden);
      expect(text).not.toContain(Buffer.from(hidden).toString("base64"));
    }
  }
  const rejected = await envoy.admin("/stats?filter=update_rejected&usedonly");
  expect(rejected.split("\n").filter((line) => !/: 0$|^$/.test(line))).toEqual([]);
}, 60_000);
