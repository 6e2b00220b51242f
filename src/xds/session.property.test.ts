import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { EncodedResource } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { ModelEnvoy } from "./model-envoy.test-support.ts";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import type { Simulation } from "./simulation.test-support.ts";
import { createSimulation } from "./simulation.test-support.ts";
import type { World } from "./world.test-support.ts";
import { cluster, endpoints, listener, secret, table, world } from "./world.test-support.ts";

/** Worlds in which every reference leads somewhere, as the translation guarantees. */
const clusterNames = ["a", "b", "c"];
const secretNames = ["s", "t"];
const tableNames = ["r", "q"];
const revision = fc.nat(1);
const subset = (names: readonly string[]) => fc.subarray([...names]);

const worlds: fc.Arbitrary<World> = fc
  .record({
    clusters: fc.uniqueArray(
      fc.record({ name: fc.constantFrom(...clusterNames), secrets: subset(secretNames), revision, load: revision }),
      { selector: ({ name }) => name, maxLength: 3 },
    ),
    listeners: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom("l", "m"),
        routes: subset(tableNames),
        secrets: subset(secretNames),
        revision,
      }),
      { selector: ({ name }) => name, maxLength: 2 },
    ),
    tables: fc.tuple(...tableNames.map(() => fc.record({ clusters: subset(clusterNames), revision }))),
    secrets: fc.tuple(revision, revision),
  })
  .map(({ clusters, listeners, tables, secrets }) => {
    const has = new Set(clusters.map(({ name }) => name));
    return world(
      ...clusters.map((each) => cluster(each.name, { secrets: each.secrets, revision: each.revision })),
      ...clusters.map((each) => endpoints(each.name, each.load)),
      ...listeners.map((each) => listener(each.name, each)),
      ...tables.map((each, index) =>
        table(
          tableNames[index]!,
          each.clusters.filter((name) => has.has(name)),
          each.revision,
        ),
      ),
      ...secrets.map((each, index) => secret(secretNames[index]!, each)),
    );
  });

type Step =
  | { readonly kind: "publish"; readonly to: World }
  | { readonly kind: "write" | "read" | "request" | "reconnect" | "restart" | "time" };

const steps = (...kinds: readonly Exclude<Step["kind"], "publish">[]): fc.Arbitrary<readonly Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 3, arbitrary: worlds.map((to): Step => ({ kind: "publish", to })) },
      { weight: 12, arbitrary: fc.constantFrom<Step>({ kind: "write" }, { kind: "read" }, { kind: "request" }) },
      { weight: 1, arbitrary: fc.constantFrom(...kinds).map((kind): Step => ({ kind })) },
    ),
    { maxLength: 80 },
  );

function run(simulation: Simulation, list: readonly Step[], check: () => void): World {
  let last: World = world();
  for (const step of list) {
    if (step.kind === "publish") {
      simulation.publish(step.to);
      last = step.to;
    } else if (step.kind === "reconnect") simulation.reconnect();
    else if (step.kind === "restart") simulation.reconnect(true);
    else if (step.kind === "time") simulation.now += 700;
    else simulation[step.kind]();
    check();
  }
  return last;
}

/** What the Envoy should end with: roots all, the rest as far as roots lead to it. */
function expected(of: World): Map<string, string> {
  const wanted = new Set<string>();
  for (const { type, name, dependents } of of.values()) {
    if (type === resourceTypes.cluster || type === resourceTypes.listener) {
      wanted.add(`${type} ${name}`);
      for (const each of dependents) wanted.add(`${each.type} ${each.name}`);
    }
    if (type === resourceTypes.listener) {
      for (const route of routesOf(of.get(`${type} ${name}`)!)) wanted.add(`${resourceTypes.route} ${route}`);
    }
  }
  return new Map([...of].filter(([key]) => wanted.has(key)).map(([key, { version }]) => [key, version]));
}

function routesOf(resource: EncodedResource): readonly string[] {
  const text = Buffer.concat(resource.chunks).toString();
  return (JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)) as { routes: string[] }).routes;
}

function stateOf(envoy: ModelEnvoy): Map<string, string> {
  return new Map(
    Object.values(resourceTypes).flatMap((type) =>
      [...envoy.versions(type)].map(([name, version]): [string, string] => [`${type} ${name}`, version]),
    ),
  );
}

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort();

test("whatever the interleaving, no table leads to a cluster that is not there, and no wait needs its bound", () => {
  fc.assert(
    fc.property(steps("reconnect", "restart"), (list) => {
      const envoy = createModelEnvoy();
      const simulation = createSimulation(envoy);
      simulation.publish(world());
      const last = run(simulation, list, () => expect(envoy.danglingClusters()).toEqual([]));
      simulation.settle();
      expect(envoy.danglingClusters()).toEqual([]);
      expect(envoy.warming()).toEqual([]);
      expect(sorted(stateOf(envoy))).toEqual(sorted(expected(last)));
      simulation.sent.length = 0;
      simulation.reconnect(true);
      simulation.settle();
      expect(simulation.sent).toEqual([]);
    }),
    { numRuns: 600 },
  );
});

test("with refusals and time passing, everything sound arrives and exactly the culprits are reported", () => {
  const culprits = fc.subarray(["cluster a 1", "listener l 1", "table r 1", "endpoints b 1", "secret s 1"]);
  fc.assert(
    fc.property(steps("reconnect", "time"), culprits, fc.infiniteStream(fc.boolean()), (list, bad, chance) => {
      const refused = new Set<string>();
      for (const step of list) {
        if (step.kind !== "publish") continue;
        for (const resource of step.to.values()) if (isBad(resource, bad)) refused.add(resource.version);
      }
      const envoy = createModelEnvoy({
        refuses: (_type, name, version) => (refused.has(version) ? `no ${name}` : undefined),
        appliesPartly: () => chance.next().value === true,
      });
      const simulation = createSimulation(envoy);
      simulation.publish(world());
      const last = run(simulation, list, () => {});
      simulation.settle({ clock: true });
      const reported = new Set(
        simulation.acknowledgements.filter((each) => !each.accepted).map((each) => each.version),
      );
      for (const version of reported) expect(refused.has(version)).toBe(true);
      const state = stateOf(envoy);
      for (const [key, { version, type }] of last) {
        if (refused.has(version)) {
          expect(state.get(key)).not.toBe(version);
          const isRoot = type === resourceTypes.cluster || type === resourceTypes.listener;
          if (isRoot) expect(reported.has(version)).toBe(true);
        } else if (type === resourceTypes.cluster || type === resourceTypes.listener || state.has(key)) {
          expect([key, state.get(key)]).toEqual([key, version]);
        }
      }
    }),
    { numRuns: 600 },
  );
});

function isBad(resource: EncodedResource, bad: readonly string[]): boolean {
  const samples: Readonly<Record<string, (from: EncodedResource) => boolean>> = {
    "cluster a 1": (from) => from.type === resourceTypes.cluster && from.name === "a" && revisionOf(from) === 1,
    "listener l 1": (from) => from.type === resourceTypes.listener && from.name === "l" && revisionOf(from) === 1,
    "table r 1": ({ type, name, version, clusters }) =>
      type === resourceTypes.route && name === "r" && version === table("r", clusters[0]!, 1).version,
    "endpoints b 1": ({ version }) => version === endpoints("b", 1).version,
    "secret s 1": ({ version }) => version === secret("s", 1).version,
  };
  return bad.some((label) => samples[label]!(resource));
}

function revisionOf(resource: EncodedResource): number {
  const text = Buffer.concat(resource.chunks).toString();
  return (JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)) as { revision: number }).revision;
}
