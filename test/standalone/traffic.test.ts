import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type FilledCase, readCases } from "./traffic-cases.ts";
import { carryOut } from "./traffic-exchange.ts";
import { readComplaints } from "./traffic-status.ts";
import { startTrafficWorld, type TrafficWorld, toYaml } from "./traffic-world.ts";

/** What routes, filters and backends promise, asked of the real Envoy. `traffic/*.yaml` says what. */
const cases = readCases();
let world: TrafficWorld;
const filled = new Map<string, FilledCase>();
let complaints: ReadonlyMap<string, readonly string[]>;

beforeAll(async () => {
  world = await startTrafficWorld();
  for (const one of cases) filled.set(one.host, one.fill(world.ports));
  world.files.writeAtomically("cases.yaml", toYaml([...filled.values()].flatMap(({ objects }) => objects)));
  world.files.writeAtomically("last.yaml", toYaml([readiness]));
  await world.until({ host: "ready.example.com" }, ({ received }) => received?.backend === "one");
  complaints = await readComplaints(world.gatehouse());
}, 60_000);

afterAll(() => world?.stop(), 30_000);

const readiness = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { name: "ready" },
  spec: {
    parentRefs: [{ name: "web" }],
    hostnames: ["ready.example.com"],
    rules: [{ backendRefs: [{ name: "one", port: 80 }] }],
  },
};

for (const topic of new Set(cases.map((one) => one.topic))) {
  describe(topic, () => {
    test.each(cases.filter((one) => one.topic === topic))("$name", async ({ host }) => {
      const { objects, requests, status } = filled.get(host) as FilledCase;
      for (const exchange of requests) await carryOut(exchange, host, world);
      const said = objects.flatMap((object) => complaints.get(keyOf(object as Identified)) ?? []);
      expect(said).toEqual(status.map((pattern) => expect.stringMatching(pattern)));
    });
  });
}

interface Identified {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string; readonly name: string };
}

function keyOf({ kind, metadata: { namespace = "default", name } }: Identified): string {
  return `${kind}/${namespace}/${name}`;
}

test("Envoy refused nothing: what it would refuse is refused before", async () => {
  const stats = await (await world.gatehouse().envoyAdmin()).stats("update_rejected");
  expect([...stats].filter(([, count]) => count > 0)).toEqual([]);
});
