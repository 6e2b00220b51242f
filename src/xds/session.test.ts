import { describe, expect, test } from "@jest/globals";
import { resourceTypes } from "../envoy/resource.ts";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import { createSimulation } from "./simulation.test-support.ts";
import { base, started, without, withResources } from "./started.test-support.ts";
import { cluster, endpoints, listener, table, world } from "./world.test-support.ts";

describe("the start of an Envoy", () => {
  test("brings everything in order, each thing once", () => {
    const simulation = createSimulation(createModelEnvoy());
    simulation.publish(base);
    simulation.settle();
    expect(simulation.sent).toEqual(["cluster a", "endpoints a", "listener web", "secret cert", "table main"]);
  });

  test("is answered even when there is nothing to have", () => {
    const envoy = createModelEnvoy();
    const simulation = createSimulation(envoy);
    simulation.publish(world());
    simulation.request();
    expect(simulation.write()).toBe(true);
    simulation.read();
    simulation.settle();
    // The model asks for listeners only once clusters were answered.
    expect(simulation.session.subscriptions.get(resourceTypes.listener)!.started).toBe(true);
    expect(simulation.sent).toEqual([]);
  });

  test("comes in responses of a bounded size", () => {
    const names = Array.from({ length: 100 }, (_, index) => `c${index}`);
    const simulation = createSimulation(createModelEnvoy(), { responseBytes: 500 });
    simulation.publish(world(...names.map((name) => cluster(name)), ...names.map((name) => endpoints(name))));
    simulation.request();
    let writes = 0;
    while (simulation.write()) writes++;
    expect(simulation.sent.length).toBe(100);
    expect(writes).toBeGreaterThan(10);
  });

  test("reports what was accepted, endpoints excepted, once", () => {
    const { acknowledgements, publish, settle, store } = started(base);
    publish(withResources(base, endpoints("a", 1)));
    settle();
    expect(acknowledgements.map(({ name, accepted }) => [name, accepted])).toEqual([
      ["a", true],
      ["web", true],
      ["cert", true],
      ["main", true],
    ]);
    expect(store.ready).toBe(true);
  });
});

describe("a reconnect", () => {
  test.each([false, true])("moves no resource (control plane restarted: %s)", (restart) => {
    const simulation = started(base);
    simulation.acknowledgements.length = 0;
    simulation.reconnect(restart);
    simulation.settle();
    expect(simulation.sent).toEqual([]);
    // Still a fact that statuses need after a restart.
    expect(simulation.acknowledgements.map(({ name }) => name).sort()).toEqual(["a", "cert", "main", "web"]);
  });

  test("brings what changed meanwhile and removes what is gone, endpoints of what is gone excepted", () => {
    const simulation = started(withResources(base, cluster("b"), endpoints("b"), listener("old", { routes: [] })));
    simulation.reconnect(true);
    simulation.publish(withResources(base, endpoints("a", 7)));
    simulation.settle({ clock: true });
    expect(simulation.sent).toEqual(["endpoints a", "-listener old", "-cluster b"]);
  });

  test("sends the dependents of a changed resource although their version is known", () => {
    const simulation = started(base);
    simulation.publish(withResources(base, cluster("a", { revision: 1 })));
    simulation.reconnect(true);
    // The cluster is under way before Envoy states which endpoints it has.
    simulation.request();
    simulation.write();
    simulation.settle();
    expect(simulation.sent).toEqual(["cluster a", "endpoints a"]);
    expect(simulation.envoy.warming()).toEqual([]);
  });

  test("keeps a removed cluster while the Envoy has a table of the past that may lead to it", () => {
    const simulation = started(withResources(base, cluster("b"), endpoints("b"), table("main", ["a", "b"])));
    simulation.publish(base);
    simulation.reconnect(true);
    while (simulation.request());
    while (simulation.write());
    expect(simulation.sent).toEqual(["table main"]);
    simulation.settle();
    expect(simulation.sent).toEqual(["table main", "-cluster b"]);
  });
});

describe("dependents", () => {
  test("a changed cluster comes with its endpoints, or it would warm for ever", () => {
    const simulation = started(base);
    simulation.publish(withResources(base, cluster("a", { revision: 1 })));
    simulation.settle();
    expect(simulation.sent).toEqual(["cluster a", "endpoints a"]);
    expect(simulation.envoy.warming()).toEqual([]);
  });

  test("a changed listener is followed by its secrets", () => {
    const simulation = started(base);
    simulation.publish(withResources(base, listener("web", { routes: ["main"], secrets: ["cert"], revision: 1 })));
    simulation.settle();
    expect(simulation.sent).toEqual(["listener web", "secret cert"]);
    expect(simulation.envoy.warming()).toEqual([]);
  });
});

describe("subscriptions", () => {
  const type = resourceTypes.route;

  test("a name that does not exist is answered as removed and delivered when it appears", () => {
    const simulation = started(withResources(base, listener("web", { routes: ["main", "later"] })));
    simulation.publish(withResources(base, listener("web", { routes: ["main", "later"] }), table("later", [])));
    simulation.settle();
    expect(simulation.sent).toEqual(["table later"]);
    const other = createSimulation(createModelEnvoy());
    other.publish(withResources(base, listener("web", { routes: ["later"] })));
    other.settle();
    expect(other.sent).toContain("-table later");
  });

  test("a table that is gone is not removed: it goes with its listener", () => {
    const simulation = started(base);
    simulation.publish(without(base, `${type} main`));
    simulation.settle();
    expect(simulation.sent).toEqual([]);
  });
});
