import { expect, test } from "@jest/globals";
import { type Answer, resourceTypes } from "../envoy/resource.ts";
import { defaultLimits } from "./limits.ts";
import type { ModelEnvoy } from "./model-envoy.test-support.ts";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import { nextResponse } from "./next-response.ts";
import { applyChanges, createSession, receiveRequest } from "./session.ts";
import { createSimulation } from "./simulation.test-support.ts";
import { cluster, endpoints, gatewayKey, listener, table, world } from "./world.test-support.ts";

/** An Envoy that refuses the given versions in words of its own. */
function envoyRefusing(...versions: readonly string[]): ModelEnvoy {
  return createModelEnvoy({
    refuses: (_type, name, version) => (versions.includes(version) ? `cannot take ${name}` : undefined),
    appliesPartly: () => true,
  });
}

const names = Array.from({ length: 20 }, (_, index) => `c${index}`);

/** A cluster was accepted, and its edit refused. */
function refuseEdit() {
  const bad = cluster("a", { revision: 1 });
  const simulation = createSimulation(envoyRefusing(bad.version));
  simulation.publish(world(cluster("a"), endpoints("a")));
  simulation.settle();
  simulation.publish(world(bad, endpoints("a")));
  simulation.settle();
  return { bad, simulation };
}

test("among many resources exactly the culprits are found, the others are accepted", () => {
  const bad = [cluster("c3", { revision: 9 }), cluster("c17", { revision: 9 })];
  const envoy = envoyRefusing(...bad.map(({ version }) => version));
  const simulation = createSimulation(envoy);
  simulation.publish(
    world(...names.map((name) => cluster(name)), ...bad, ...names.map((name) => endpoints(name)), listener("web")),
  );
  simulation.settle();
  expect(simulation.acknowledgements.filter(({ accepted }) => !accepted)).toEqual(
    bad.map(({ type, name, version }) => ({
      gateway: gatewayKey,
      type,
      name,
      version,
      accepted: false,
      error: `cannot take ${name}`,
    })),
  );
  expect([...envoy.versions(resourceTypes.cluster).keys()].sort()).toEqual(
    names.filter((name) => name !== "c3" && name !== "c17").sort(),
  );
  expect(envoy.warming()).toEqual([]);
});

test("a resource that changes while it awaits its turn alone still goes alone", () => {
  const simulation = createSimulation(envoyRefusing(cluster("a", { endpoints: [] }).version));
  simulation.publish(
    world(cluster("a", { endpoints: [] }), cluster("b", { endpoints: [] }), cluster("c", { endpoints: [] })),
  );
  simulation.request();
  simulation.write();
  simulation.read();
  simulation.request();
  simulation.publish(
    world(
      cluster("a", { endpoints: [] }),
      cluster("b", { endpoints: [], revision: 1 }),
      cluster("c", { endpoints: [] }),
    ),
  );
  simulation.sent.length = 0;
  const responses: string[][] = [];
  while (simulation.write()) responses.push(simulation.sent.splice(0));
  expect(responses).toEqual([["cluster a"], ["cluster b"], ["cluster c"]]);
});

test("a refused version is not sent again until it changes, and the accepted one stays", () => {
  const bad = cluster("a", { revision: 1 });
  const envoy = envoyRefusing(bad.version);
  const simulation = createSimulation(envoy);
  simulation.publish(world(cluster("a"), endpoints("a")));
  simulation.settle();
  simulation.publish(world(bad, endpoints("a")));
  simulation.settle();
  expect(envoy.versions(resourceTypes.cluster).get("a")).toBe(cluster("a").version);
  expect(simulation.sent).toEqual(["cluster a", "endpoints a", "cluster a", "endpoints a"]);
  simulation.sent.length = 0;
  simulation.publish(world(bad, endpoints("a", 1)));
  simulation.settle({ clock: true });
  expect(simulation.sent).toEqual(["endpoints a"]);
  simulation.publish(world(cluster("a", { revision: 2 }), endpoints("a", 1)));
  simulation.settle();
  expect(envoy.versions(resourceTypes.cluster).get("a")).toBe(cluster("a", { revision: 2 }).version);
});

test("a fresh Envoy of the same build gets the last accepted version, one of another build the new one", () => {
  const { bad, simulation } = refuseEdit();
  const gateway = simulation.store.gateway(gatewayKey);
  const firstCluster = (build: string) => {
    const session = createSession(gateway, build, defaultLimits, () => {});
    receiveRequest(session, { typeUrl: resourceTypes.cluster }, 0);
    return nextResponse(session, 0)?.resources[0]?.version;
  };
  expect(firstCluster("envoy")).toBe(cluster("a").version);
  expect(firstCluster("newer envoy")).toBe(bad.version);
});

test("what was refused from the start is not sent to a second Envoy of the same build, unless another accepts it", () => {
  const bad = cluster("a");
  const simulation = createSimulation(envoyRefusing(bad.version));
  simulation.publish(world(bad, endpoints("a")));
  simulation.settle();
  const gateway = simulation.store.gateway(gatewayKey);
  expect(gateway.choose(resourceTypes.cluster, "a", [], "envoy")).toBe("withheld");
  const told: string[] = [];
  gateway.observe((changed) => told.push(...changed.map(({ name }) => name)));
  gateway.accept(gateway.current(resourceTypes.cluster, "a")!);
  expect(told).toEqual(["a"]);
  expect(gateway.choose(resourceTypes.cluster, "a", [], "envoy")?.valueOf()).toMatchObject({ version: bad.version });
});

test("what an Envoy is not offered because another of its build refused it is told as its refusal too, once", () => {
  const { bad, simulation } = refuseEdit();
  const answers: Answer[] = [];
  const gateway = simulation.store.gateway(gatewayKey);
  const session = createSession(gateway, "envoy", defaultLimits, (answer) => answers.push(answer));
  receiveRequest(session, { typeUrl: resourceTypes.cluster }, 0);
  nextResponse(session, 0);
  applyChanges(session, [{ type: resourceTypes.cluster, name: "a" }]);
  nextResponse(session, 0);
  const { error } = simulation.acknowledgements.find(({ accepted }) => !accepted)!;
  expect(answers).toEqual([
    { gateway: gatewayKey, type: resourceTypes.cluster, name: "a", version: bad.version, accepted: false, error },
  ]);
});

test("an Envoy that reconnects after a refusal is not sent the refused version, nor is the accepted one sent again", () => {
  const { simulation } = refuseEdit();
  simulation.sent.length = 0;
  simulation.reconnect();
  simulation.settle();
  expect(simulation.sent).toEqual([]);
});

test("the clusters of a table that is kept because the new one was refused stay as long", () => {
  const bad = table("main", ["b"], 1);
  const envoy = envoyRefusing(bad.version);
  const simulation = createSimulation(envoy);
  const listeners = [listener("web", { routes: ["main"] })];
  const clusters = (...names: string[]) => names.flatMap((name) => [cluster(name), endpoints(name)]);
  simulation.publish(world(...clusters("a"), ...listeners, table("main", ["a"])));
  simulation.settle();
  simulation.publish(world(...clusters("b"), ...listeners, bad));
  simulation.settle({ clock: true });
  expect(envoy.danglingClusters()).toEqual([]);
  expect([...envoy.versions(resourceTypes.cluster).keys()]).toEqual(["a", "b"]);
  simulation.publish(world(...clusters("b"), ...listeners, table("main", ["b"], 2)));
  simulation.settle();
  expect([...envoy.versions(resourceTypes.cluster).keys()]).toEqual(["b"]);
});

test("a stream on which nothing is acknowledged is given up", () => {
  const simulation = createSimulation(createModelEnvoy(), { maxUnacknowledged: 3 });
  simulation.publish(world(cluster("a"), endpoints("a")));
  simulation.request();
  for (let revision = 1; revision < 9; revision++) {
    simulation.write();
    simulation.publish(world(cluster("a", { revision }), endpoints("a")));
  }
  expect(simulation.sent.length).toBe(3);
  expect(simulation.session.wakeAt).toBe(60_000);
  simulation.now = 60_000;
  simulation.write();
  expect(simulation.session.failure).toContain("were not acknowledged");
});
