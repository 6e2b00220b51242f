import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { listenerChanges } from "../harness/envoy.ts";
import { waitFor } from "../harness/waiting.ts";
import { documented, type SecurityCase, type SecurityPlace, testSecurityCases } from "./security-world.ts";

/** Users with passwords and clients with keys, whose Secrets come, change and go while Envoy serves. */

const hashOf = (password: string) => `{SHA}${createHash("sha1").update(password).digest("base64")}`;
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`,
});
const secret = (name: string, stringData: Readonly<Record<string, string>>, namespace = "default") => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace },
  stringData,
});
const users = (name: string, htpasswd: string) => secret(name, { ".htpasswd": htpasswd });
const keysIn = (name: string, more: object = {}) => ({
  apiKeyAuth: { credentialRefs: [{ name }], extractFrom: [{ headers: ["x-api-key"] }], ...more },
});
const grant = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "ReferenceGrant",
  metadata: { name: "policies", namespace: "vault" },
  spec: {
    from: [{ group: "gateway.envoyproxy.io", kind: "SecurityPolicy", namespace: "default" }],
    to: [{ group: "", kind: "Secret", name: "granted" }],
  },
};

const status = async (place: SecurityPlace, headers: Readonly<Record<string, string>> = {}) =>
  place.status({ headers });
const key = (value: string) => ({ "x-api-key": value });

const cases: readonly SecurityCase[] = [
  {
    name: "users",
    ...documented("members"),
    async check(place) {
      const refused = await place.send();
      expect([refused.status, refused.received]).toEqual([401, undefined]);
      expect(refused.headers["www-authenticate"]).toMatch(/^Basic realm=/);
      const headers = { ...basic("alice", "wonderland"), "x-user": "root" };
      expect((await place.send({ headers })).received?.headers["x-user"]).toBe("alice");
      expect(await status(place, basic("bob", "bricklayer"))).toBe(200);
      for (const [user, password] of [
        ["alice", "bricklayer"],
        ["carol", "wonderland"],
        ["alice", ""],
        ["", ""],
        ["alice", hashOf("wonderland")],
      ] as const) {
        expect(await status(place, basic(user, password))).toBe(401);
      }
      expect(await status(place, { authorization: "Basic !" })).toBe(401);
      expect(await status(place, { authorization: "Bearer wonderland" })).toBe(401);
    },
  },
  {
    name: "users whom the backend is not told of, in a file with comments and line ends of its own",
    spec: { basicAuth: { users: { name: "plain-users" } } },
    objects: [users("plain-users", `# team\r\n\r\n dora:${hashOf("p:w:with colons")} \r\nümit:${hashOf("ß")}`)],
    async check(place) {
      const headers = { ...basic("dora", "p:w:with colons"), "x-user": "as it comes" };
      expect((await place.send({ headers })).received?.headers["x-user"]).toBe("as it comes");
      expect(await status(place, basic("ümit", "ß"))).toBe(200);
    },
  },
  {
    name: "keys",
    ...documented("programs"),
    async check({ send }) {
      const [billing, reports] = ["0b56c7f0-open-sesame", "91a2d4e8-open-barley"];
      const told = async (options: Parameters<typeof send>[0]) => {
        const { status: code, received } = await send(options);
        expect(received === undefined).toBe(code === 401);
        if (received) expect(JSON.stringify(received)).not.toMatch(/open-(sesame|barley)/);
        return received?.headers["x-client"] ?? code;
      };
      expect(await told({})).toBe(401);
      expect(await told({ headers: { ...key(billing), "x-client": "root" } })).toBe("billing");
      expect(await told({ headers: key(reports) })).toBe("reports");
      expect(await told({ headers: { authorization: `Bearer ${reports}` } })).toBe("reports");
      expect(await told({ path: `/?a=b&key=${billing}&c=d` })).toBe("billing");
      expect(await told({ headers: { cookie: `a=b; key=${reports}; c=d` } })).toBe("reports");
      for (const wrong of ["billing", "open-sesame", `${billing}x`, billing.toUpperCase(), ""]) {
        expect(await told({ headers: key(wrong) })).toBe(401);
      }
      // The first place that has something counts.
      expect(await told({ headers: { ...key("wrong"), cookie: `key=${billing}` } })).toBe(401);
    },
  },
  {
    name: "keys that the backend may see, of two Secrets, the first of which counts",
    spec: {
      apiKeyAuth: {
        credentialRefs: [{ name: "first" }, { name: "second" }],
        extractFrom: [{ headers: ["x-api-key"] }],
      },
    },
    objects: [secret("first", { a: "key-of-a" }), secret("second", { a: "other-key-of-a", b: "key-of-b" })],
    async check(place) {
      expect((await place.send({ headers: key("key-of-a") })).received?.headers["x-api-key"]).toBe("key-of-a");
      expect(await status(place, key("key-of-b"))).toBe(200);
      expect(await status(place, key("other-key-of-a"))).toBe(401);
    },
  },
  {
    name: "both, and neither is enough",
    spec: { ...keysIn("both-keys"), basicAuth: { users: { name: "both-users" } } },
    objects: [secret("both-keys", { a: "both-key" }), users("both-users", `eve:${hashOf("apple")}`)],
    async check(place) {
      expect(await status(place, key("both-key"))).toBe(401);
      expect(await status(place, basic("eve", "apple"))).toBe(401);
      expect(await status(place, { ...key("both-key"), ...basic("eve", "apple") })).toBe(200);
    },
  },
  {
    name: "a preflight, which comes without credentials",
    spec: { ...keysIn("preflight-keys"), cors: { allowOrigins: ["http://x.test"] } },
    objects: [secret("preflight-keys", { a: "preflight-key" })],
    async check(place) {
      const asks = { origin: "http://x.test", "access-control-request-method": "GET" };
      const answer = await place.send({ method: "OPTIONS", headers: asks });
      expect([answer.status, answer.received]).toEqual([200, undefined]);
      expect(answer.headers["access-control-allow-origin"]).toBe("http://x.test");
      expect(await place.status({ method: "OPTIONS" })).toBe(401);
      const refused = await place.send({ headers: { origin: "http://x.test" } });
      expect([refused.status, refused.headers["access-control-allow-origin"]]).toEqual([401, "http://x.test"]);
    },
  },
  {
    name: "a Secret of another namespace that lets itself be named",
    spec: {
      apiKeyAuth: { ...keysIn("granted").apiKeyAuth, credentialRefs: [{ name: "granted", namespace: "vault" }] },
    },
    objects: [secret("granted", { a: "granted-key" }, "vault"), grant],
    check: async (place) => expect(await status(place, key("granted-key"))).toBe(200),
  },
  {
    name: "a Secret of another namespace that does not",
    spec: { apiKeyAuth: { ...keysIn("kept").apiKeyAuth, credentialRefs: [{ name: "kept", namespace: "vault" }] } },
    objects: [secret("kept", { a: "kept-key" }, "vault")],
    check: async (place) => expect(await status(place, key("kept-key"))).toBe(500),
  },
  {
    name: "passwords written as Envoy cannot check them",
    spec: { basicAuth: { users: { name: "apr1" } } },
    objects: [users("apr1", `frank:${hashOf("fine")}\ngrace:$apr1$Kd0$ok.tell-nobody-1\nheidi:$2y$05$tell-nobody-2\n`)],
    async check(place) {
      expect(await status(place, basic("frank", "fine"))).toBe(500);
      expect(await world().gatehouse().statusText()).toMatch(
        /apr1, whose \.htpasswd has in line 2 an MD5 hash \(apr1\)/,
      );
    },
  },
];

const world = testSecurityCases(cases);

const untilAnswered = (place: SecurityPlace, headers: Readonly<Record<string, string>>, wanted: number) =>
  waitFor(`an answer ${wanted} on ${place.host}`, async () => (await place.status({ headers })) === wanted);

test("users come and go at once, and no Listener changes", async () => {
  const name = "users whom the backend is not told of, in a file with comments and line ends of its own";
  const place = world().placeOf(name);
  const envoy = await world().gatehouse().envoyAdmin();
  const changes = () => listenerChanges(envoy);
  const before = await changes();
  const dora = basic("dora", "p:w:with colons");
  world().replace(name, world().objectsOf(name, { objects: [users("plain-users", `ivan:${hashOf("new")}`)] }));
  await untilAnswered(place, basic("ivan", "new"), 200);
  expect(await place.status({ headers: dora })).toBe(401);
  expect(await changes()).toBe(before);
}, 60_000);

test("a Secret that goes or is broken closes its routes and no other, and its return opens them", async () => {
  const name = "keys that the backend may see, of two Secrets, the first of which counts";
  const [place, other] = [world().placeOf(name), world().placeOf("keys")];
  const good = key("key-of-a");
  const own = cases.find((each) => each.name === name)?.objects ?? [];
  const [first] = own;
  for (const objects of [
    [],
    own.slice(0, 1),
    [first, secret("second", { b: "key with a line break\n" })],
    [first, secret("second", { b: "key-of-a" })],
  ]) {
    world().replace(name, world().objectsOf(name, { objects: objects as object[] }));
    await untilAnswered(place, good, 500);
    expect(await other.status({ headers: key("0b56c7f0-open-sesame") })).toBe(200);
    expect(await other.status()).toBe(401);
    world().replace(name, world().objectsOf(name));
    await untilAnswered(place, good, 200);
    expect(await place.status()).toBe(401);
  }
}, 60_000);

/** All that Secrets hold, and what clients sent of it. */
const hidden = [
  ...["wonderland", "bricklayer", "open-sesame", "open-barley", "key-of-a", "key-of-b", "granted-key", "kept-key"],
  ...["tell-nobody", hashOf("wonderland").slice(5), hashOf("bricklayer").slice(5), hashOf("fine").slice(5)],
  ...[basic("alice", "wonderland").authorization.slice(6), Buffer.from("granted-key").toString("base64")],
];

test("nothing of it is to be found anywhere", async () => {
  const gatehouse = world().gatehouse();
  const envoy = await gatehouse.envoyAdmin();
  const stateHome = gatehouse.env["XDG_STATE_HOME"] as string;
  const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
  const translated = await new Promise<string>((resolve) => {
    const args = [main, "translate", world().files.path];
    execFile(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 }, (_, out, errors) => resolve(out + errors));
  });
  expect(translated).toContain("envoy.filters.http.basic_auth");
  const dump = await envoy.admin("/config_dump?include_eds");
  expect(dump).toContain("api_key_auth.v3.ApiKeyAuthPerRoute");
  const places: Record<string, string> = {
    translated,
    dump,
    status: await gatehouse.statusText(),
    metrics: await gatehouse.admin("/metrics"),
    statuses: await gatehouse.admin("/status"),
    config: await gatehouse.admin("/config"),
    stats: await envoy.admin("/stats?format=prometheus"),
  };
  for (const path of readdirSync(stateHome, { recursive: true, encoding: "utf8" })) {
    const file = join(stateHome, path);
    if (statSync(file).isFile()) places[file] = readFileSync(file, "latin1");
  }
  const found = Object.entries(places).flatMap(([place, text]) =>
    hidden.filter((each) => text.includes(each)).map((each) => `${each} in ${place}`),
  );
  expect(found).toEqual([]);
}, 60_000);
