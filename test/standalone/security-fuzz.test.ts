import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { validateObject } from "../../src/api/kinds.ts";
import { freePort } from "../harness/ports.ts";
import { policyOfRoute, routeOf } from "./policy-objects.ts";
import { type FuzzCase, fuzzCases, secretName } from "./security-fuzz-cases.ts";
import { serviceObjects, toYaml } from "./traffic-world.ts";
import { createWorld, type World } from "./world.ts";

/**
 * Hostile SecurityPolicies, rules and Secrets before a real Envoy: nothing crashes, nobody else notices, Envoy refuses nothing, and
 * where a policy that asks for credentials is taken, no request without them reaches the backend. Longer by hand:
 * `FUZZ_SEEDS="1 2 3" FUZZ_CASES=1000`.
 */

/** Those that once found something, and some that did not. */
const keptSeeds = [1, 2, 3];
const fresh = Math.floor(Math.random() * 2 ** 31);
const seeds = process.env["FUZZ_SEEDS"]?.split(/\s+/).map(Number) ?? [...keptSeeds, fresh];
const CASES = Number(process.env["FUZZ_CASES"] ?? 100);

let world: World;

beforeAll(async () => {
  world = await createWorld();
  const { port } = await world.backend("app");
  const users = { ".htpasswd": "user:{SHA}yGHLFqu4/0QZ6uxZh+UUmTssfC8=" };
  world.files.writeAtomically(
    "control.yaml",
    toYaml([
      ...serviceObjects("app", [port]),
      // Servers that are asked whether a request may pass are not there.
      ...serviceObjects("nobody", [await freePort()]),
      routeOf("control", control.host, toApp({})),
      policyOfRoute("SecurityPolicy", "control", { basicAuth: { users: { name: "control" } } }),
      { apiVersion: "v1", kind: "Secret", metadata: { name: "control" }, stringData: users },
    ]),
  );
  await world.until(control, ({ status }) => status === 200);
}, 60_000);
afterAll(async () => {
  await world?.stop();
}, 30_000);

const toApp = (rule: object) => ({ backendRefs: [{ name: "app", port: 80 }], ...rule });
const authorization = `Basic ${Buffer.from("user:secret-one").toString("base64")}`;
const control = { host: "control.example.com", headers: { authorization } };

interface Written {
  readonly host: string;
  readonly objects: readonly object[];
  /** Whether the policy and the route are what an API server would take. */
  readonly valid: boolean;
  readonly from: FuzzCase;
}

function write(from: FuzzCase, index: number): Written {
  const name = `fuzz-${index}`;
  const host = `${name}.example.com`;
  const text = JSON.stringify(policyOfRoute("SecurityPolicy", name, from.spec));
  const named = [0, 1].reduce((sum, number) => sum.replaceAll(secretName(number), `${name}-${number}`), text);
  const policy = JSON.parse(named) as object;
  const route = JSON.parse(JSON.stringify(routeOf(name, host, toApp(from.rule)))) as object;
  const secrets = from.secrets.flatMap((stringData, number) =>
    stringData === undefined
      ? []
      : [{ apiVersion: "v1", kind: "Secret", metadata: { name: `${name}-${number}` }, stringData }],
  );
  const valid = [policy, route].every((object) => isValid(object));
  return { host, objects: [route, policy, ...secrets], valid, from };
}

/** What files leave out is filled in before an object is judged. */
function isValid(object: object): boolean {
  const { metadata } = object as { readonly metadata: object };
  const copy = JSON.parse(JSON.stringify({ ...object, metadata: { ...metadata, namespace: "default" } })) as object;
  return validateObject(copy).problems.length === 0;
}

/** What somebody tries who knows no credentials. */
const attempts = [
  {},
  { path: "/a?key=&user=&x-a=x" },
  { method: "POST", path: "/", headers: { authorization: "Basic Og==", "x-a": "", origin: "http://evil.test" } },
  { method: "OPTIONS", headers: { origin: "http://a.test", "access-control-request-method": "GET" } },
  { headers: { authorization: "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiIifQ." }, path: "/?access_token=a.b.c" },
  { headers: { authorization: "Bearer ", cookie: "key=; user=", "x-b": "*", x_c: "1" } },
] as const;

test.each(seeds)(
  "seed %i",
  async (seed) => {
    const cases = fuzzCases(seed, CASES).map(write);
    const last = { host: `last-${seed}.example.com` };
    world.files.writeAtomically(
      "cases.yaml",
      toYaml([...cases.flatMap(({ objects }) => objects), routeOf("last", last.host, toApp({}))]),
    );
    await world.until(last, ({ status }) => status === 200);
    const judged = cases.filter(({ valid }) => valid);
    const statuses = new Map<number, number>();
    for (const { host, from } of judged) {
      for (const attempt of attempts) {
        const answer = await world.send({ host, ...attempt });
        if (answer.received !== undefined)
          throw new Error(`an open door at ${host}: ${JSON.stringify({ attempt, from })}`);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      }
    }
    // Doors that ask for credentials are seen, and doors that are shut.
    expect([...statuses.keys()]).toEqual(expect.arrayContaining([401, 500]));
    expect((await world.send(control)).status).toBe(200);
    expect((await world.send({ host: control.host })).status).toBe(401);
    const envoy = await world.gatehouse().envoyAdmin();
    const rejected = await envoy.admin("/stats?filter=update_rejected&usedonly");
    expect(rejected.split("\n").filter((line) => !/: 0$|^$/.test(line))).toEqual([]);
    expect(await world.gatehouse().metric("gatehouse_translation_failures")).toBe(0);
  },
  120_000,
);
