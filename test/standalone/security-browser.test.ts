import { expect, test } from "@jest/globals";
import { listenerChanges } from "../harness/envoy.ts";
import {
  documented,
  type SecurityCase,
  type SecurityPlace,
  type SecurityWorld,
  testSecurityCases,
} from "./security-world.ts";

/** CORS and CSRF: what Envoy answers to requests of web pages. */

const preflight = (origin: string, method = "GET") => ({
  method: "OPTIONS",
  headers: { origin, "access-control-request-method": method },
});

/** Origins that are told, to a preflight and to a request, that their pages may read the answer. */
async function allowedOf({ send }: SecurityPlace, origins: readonly string[]): Promise<readonly string[]> {
  const allowed: string[] = [];
  for (const origin of origins) {
    const asked = await send(preflight(origin));
    const read = await send({ headers: { origin } });
    expect([asked.status, asked.received, read.status]).toEqual([200, undefined, 200]);
    const told = [asked, read].map(({ headers }) => headers["access-control-allow-origin"]);
    expect(told[0]).toBe(told[1]);
    if (told[0] === undefined) continue;
    expect(told[0]).toBe(origin);
    allowed.push(origin);
  }
  return allowed;
}

/** Origins whose pages may send a POST. */
async function postsFrom({ status }: SecurityPlace, origins: readonly string[]): Promise<readonly string[]> {
  const passed: string[] = [];
  for (const origin of origins) {
    const answer = await status({ method: "POST", headers: { origin } });
    expect([200, 403]).toContain(answer);
    if (answer === 200) passed.push(origin);
  }
  return passed;
}

const subdomains = ["https://a.example.org", "https://a.b.example.org"];
const strangers = [
  ...["https://example.org", "http://a.example.org", "https://notexample.org", "https://a.example.org.evil.test"],
  ...["https://a.example.org:8443", "https://app.example.com.evil.test", "http://app.example.com", "null"],
];

const cases: readonly SecurityCase[] = [
  {
    name: "cors",
    ...documented("pages"),
    async check(place) {
      const own = "https://app.example.com";
      expect(await allowedOf(place, [own, ...subdomains, ...strangers])).toEqual([own, ...subdomains]);
      expect((await place.send(preflight(own))).headers).toMatchObject({
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "Content-Type,X-Request-Token",
        "access-control-allow-credentials": "true",
        "access-control-max-age": "600",
      });
      const { headers, received } = await place.send({ headers: { origin: own } });
      expect(headers["access-control-expose-headers"]).toBe("X-Cost");
      expect(received?.path).toBe("/");
    },
  },
  {
    name: "cors for anybody, whatever they send",
    spec: { cors: { allowOrigins: ["*"], allowMethods: ["*"], allowHeaders: ["*"], exposeHeaders: ["*"] } },
    async check(place) {
      expect(await allowedOf(place, [...subdomains, "null"])).toEqual([...subdomains, "null"]);
      const { headers } = await place.send(preflight("http://x.test", "PATCH"));
      expect(headers).toMatchObject({ "access-control-allow-methods": "PATCH" });
      expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(["access-control-allow-credentials"]));
      expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(["access-control-max-age"]));
    },
  },
  {
    name: "cors with ports, any host, and schemes of their own",
    spec: {
      cors: { allowOrigins: ["http://localhost:3000", "HTTPS://Shop.Test:443", "capacitor://*", "http://*:81"] },
    },
    async check(place) {
      const allowed = ["http://localhost:3000", "https://shop.test", "capacitor://localhost", "http://a.test:81"];
      const others = ["http://localhost", "http://localhost:3001", "https://shop.test:8443", "http://a.test:82"];
      expect(await allowedOf(place, [...allowed, ...others])).toEqual(allowed);
    },
  },
  {
    name: "cors that allows nobody",
    spec: { cors: {} },
    check: async (place) => expect(await allowedOf(place, ["http://x.test", "https://app.example.com"])).toEqual([]),
  },
  {
    name: "cors of a rule for one method, whose preflight comes as OPTIONS",
    spec: { cors: { allowOrigins: ["http://x.test"], allowMethods: ["DELETE"] } },
    rule: { matches: [{ method: "GET" }, { method: "DELETE" }] },
    check: async (place) => expect(await allowedOf(place, ["http://x.test"])).toEqual(["http://x.test"]),
  },
  {
    name: "cors of the rule itself, which wins",
    spec: { cors: { allowOrigins: ["http://policy.test"] } },
    rule: { filters: [{ type: "CORS", cors: { allowOrigins: ["http://rule.test"] } }] },
    async check(place) {
      expect(await allowedOf(place, ["http://policy.test", "http://rule.test"])).toEqual(["http://rule.test"]);
    },
  },
  {
    name: "csrf",
    ...documented("forms"),
    async check(place) {
      const [own, friend] = [`http://${place.host}`, "https://admin.example.com"];
      const others = ["http://evil.test", "https://admin.example.com.evil.test", "https://example.net", "null"];
      const partners = ["https://a.example.net", "https://a.b.example.net"];
      expect(await postsFrom(place, [own, friend, ...partners, ...others])).toEqual([own, friend, ...partners]);
      // Who does not say where it comes from may come from anywhere; what changes nothing harms nobody.
      expect(await place.status({ method: "POST" })).toBe(403);
      expect(await place.status({ method: "POST", headers: { referer: `${own}/form` } })).toBe(200);
      expect(await place.status({ headers: { origin: "http://evil.test" } })).toBe(200);
      for (const method of ["PUT", "PATCH", "DELETE"]) {
        expect(await place.status({ method, headers: { origin: "http://evil.test" } })).toBe(403);
      }
    },
  },
  {
    name: "csrf for nobody but oneself",
    spec: { csrf: {} },
    async check(place) {
      const own = `http://${place.host}`;
      expect(await postsFrom(place, ["https://admin.example.com", own])).toEqual([own]);
    },
  },
  {
    name: "csrf that only counts",
    spec: { csrf: { shadowFraction: { numerator: 1, denominator: 1 } } },
    async check(place) {
      const envoy = await world().gatehouse().envoyAdmin();
      const before = await invalidRequests(envoy);
      expect(await postsFrom(place, ["http://evil.test"])).toEqual(["http://evil.test"]);
      expect(await invalidRequests(envoy)).toBe(before + 1);
    },
  },
  {
    name: "csrf for part of the requests",
    spec: { csrf: { shadowFraction: { numerator: 1, denominator: 2 } } },
    async check(place) {
      const statuses = new Set<number>();
      // Of so many throws of the dice all fall on one side once in 10^29.
      for (let time = 0; time < 100 && statuses.size < 2; time++) statuses.add(await place.status({ method: "POST" }));
      expect([...statuses].sort()).toEqual([200, 403]);
    },
  },
];

type Admin = Awaited<ReturnType<ReturnType<SecurityWorld["gatehouse"]>["envoyAdmin"]>>;

async function invalidRequests(envoy: Admin): Promise<number> {
  return Number(/request_invalid: (\d+)/.exec(await envoy.admin("/stats?filter=csrf.request_invalid"))?.[1] ?? 0);
}

const world = testSecurityCases(cases);

test("an edit of a policy changes no Listener", async () => {
  const envoy = await world().gatehouse().envoyAdmin();
  const changes = () => listenerChanges(envoy);
  const before = await changes();
  const place = world().placeOf("cors that allows nobody");
  world().replace(
    "cors that allows nobody",
    world().objectsOf("cors that allows nobody", { spec: { csrf: {}, cors: { allowOrigins: ["http://x.test"] } } }),
  );
  await world().until({ host: place.host, method: "POST" }, ({ status }) => status === 403);
  expect(await allowedOf(place, ["http://x.test"])).toEqual(["http://x.test"]);
  expect(await changes()).toBe(before);
}, 30_000);
