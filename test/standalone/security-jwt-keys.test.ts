import { afterAll, expect } from "@jest/globals";
import { pause, waitFor } from "../harness/waiting.ts";
import { documented, type SecurityCase, type SecurityPlace, testSecurityCases } from "./security-world.ts";
import { bearer, createIssuer, keySetOf, startKeyServer } from "./tokens.ts";
import { serviceObjects } from "./traffic-world.ts";

/** Keys of tokens that Envoy fetches, and their servers as they change and die. */

const [one, two, three] = [createIssuer("one"), createIssuer("two", "RS256"), createIssuer("three", "EdDSA")];
const stranger = createIssuer("one");
const keyServer = await startKeyServer(keySetOf(one));
const brokenServer = await startKeyServer(keySetOf(two));
const aheadServer = await startKeyServer(keySetOf(two));

const remote = (name: string, more: object = {}) => ({
  uri: `http://${name}/jwks.json`,
  backendRefs: [{ group: "", kind: "Service", name, port: 80 }],
  ...more,
});
const status = (place: SecurityPlace, token?: string) =>
  place.status({ headers: token === undefined ? {} : bearer(token) });
const refused: readonly number[] = Array(16).fill(401);
const statuses = (place: SecurityPlace, token: string) => Promise.all(refused.map(() => status(place, token)));
const KEYS_KEPT_MS = 1500;
const provider = { name: "p", issuer: "i", audiences: ["a", "c"] };
const good = one.issue({ iss: "i", aud: "a" });

const cases: readonly SecurityCase[] = [
  {
    name: "partners",
    ...documented("partners"),
    objects: serviceObjects("keys", [keyServer.port]),
    async check(place) {
      expect(await status(place)).toBe(200);
      expect(await status(place, stranger.issue({ iss: "https://partner.example.net" }))).toBe(401);
      expect(await status(place, one.issue({ iss: "https://partner.example.net" }))).toBe(200);
      expect(keyServer.asked).toContain("keys.partner.svc/jwks.json");
    },
  },
  {
    name: "keys that cannot be fetched",
    spec: { jwt: { providers: [{ ...provider, remoteJWKS: remote("broken", { cacheDuration: "1s" }) }] } },
    objects: serviceObjects("broken", [brokenServer.port]),
    async check(place) {
      const token = two.issue({ iss: "i", aud: "a" });
      expect(await status(place, token)).toBe(200);
      brokenServer.serve(undefined);
      // Every worker of Envoy has fetched them for itself, and keeps them for a second.
      await pause(KEYS_KEPT_MS);
      expect(await statuses(place, token)).toEqual(refused);
      expect((await place.send({ headers: bearer(token) })).received).toBeUndefined();
      expect(await status(world().placeOf("a server of keys by its address alone"), good)).toBe(200);
      // Other keys take their place as soon as they can be had.
      brokenServer.serve(keySetOf(three));
      expect(await statuses(place, three.issue({ iss: "i", aud: "a" }))).toEqual(refused.map(() => 200));
      expect(await statuses(place, token)).toEqual(refused);
    },
  },
  {
    name: "keys that are fetched ahead stay while others cannot be had",
    spec: {
      jwt: {
        providers: [
          { ...provider, remoteJWKS: remote("ahead", { cacheDuration: "1s", failedRefetchDuration: "100ms" }) },
        ],
      },
    },
    objects: serviceObjects("ahead", [aheadServer.port]),
    async check(place) {
      const [token, next] = [two, three].map((issuer) => issuer.issue({ iss: "i", aud: "a" })) as [string, string];
      expect(await statuses(place, token)).toEqual(refused.map(() => 200));
      aheadServer.serve(undefined);
      await pause(KEYS_KEPT_MS);
      expect(await statuses(place, token)).toEqual(refused.map(() => 200));
      aheadServer.serve(keySetOf(three));
      await waitFor("new keys", async () => !(await statuses(place, next)).includes(401));
      expect(await statuses(place, token)).toEqual(refused);
    },
  },
  {
    name: "a server of keys that nobody can reach",
    spec: { jwt: { optional: true, providers: [{ ...provider, remoteJWKS: remote("absent") }] } },
    check: async (place) => expect(await status(place, good)).toBe(500),
  },
  {
    name: "a server of keys by its address alone",
    spec: {
      jwt: { providers: [{ ...provider, remoteJWKS: { uri: `http://127.0.0.1:${keyServer.port}/other.json` } }] },
    },
    async check(place) {
      expect(await status(place, good)).toBe(200);
      expect(keyServer.asked).toContain(`127.0.0.1:${keyServer.port}/other.json`);
    },
  },
];

const world = testSecurityCases(cases);

afterAll(async () => {
  await Promise.all([keyServer.stop(), brokenServer.stop(), aheadServer.stop()]);
}, 30_000);
