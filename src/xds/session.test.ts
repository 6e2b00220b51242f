import { describe, expect, test } from "@jest/globals";
import type { EncodedResource } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { ModelEnvoy } from "./model-envoy.test-support.ts";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import type { Simulation } from "./simulation.test-support.ts";
import { createSimulation } from "./simulation.test-support.ts";
import type { World } from "./world.test-support.ts";
import { cluster, endpoints, listener, secret, table, world } from "./world.test-support.ts";

const base = world(
  cluster("a"),
  endpoints("a"),
  secret("cert"),
  listener("web", { routes: ["main"], secrets: ["cert"] }),
  table("main", ["a"]),
);

function started(initial: World, envoy: ModelEnvoy = createModelEnvoy()): Simulation & { envoy: ModelEnvoy } {
  const simulation = createSimulation(envoy);
  simulation.publish(initial);
  simulation.settle();
  simulation.sent.length = 0;
  return Object.assign(simulation, { envoy });
}

function withResources(from: World, ...resources: readonly EncodedResource[]): World {
  return new Map([...from, ...world(...resources)]);
}

function without(from: World, ...keys: readonly string[]): World {
  return new Map([...from].filter(([key]) => !keys.includes(key)));
}

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
    simulation.settle();
    expect(simulation.sent).toEqual(["cluster a", "endpoints a"]);
    expect(simulation.envoy.warming()).toEqual([]);
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

describe("make before break", () => {
  test("a table waits for the acknowledgement of its new cluster", () => {
    const simulation = started(base);
    simulation.publish(withResources(base, cluster("b"), endpoints("b"), table("main", ["a", "b"])));
    while (simulation.write());
    expect(simulation.sent).toEqual(["cluster b"]);
    simulation.settle();
    expect(simulation.sent).toEqual(["cluster b", "endpoints b", "table main"]);
    expect(simulation.now).toBe(0);
  });

  test("a table waits no longer than two seconds, however often it changes meanwhile", () => {
    const simulation = started(base);
    const next = withResources(base, cluster("b"), endpoints("b"));
    simulation.publish(withResources(next, table("main", ["a", "b"])));
    while (simulation.write());
    simulation.now = 1_500;
    simulation.publish(withResources(next, table("main", ["a", "b"], 1)));
    while (simulation.write());
    expect(simulation.session.wakeAt).toBe(2_000);
    simulation.now = 1_999;
    while (simulation.write());
    expect(simulation.sent).toEqual(["cluster b"]);
    simulation.now = 2_000;
    while (simulation.write());
    expect(simulation.sent).toEqual(["cluster b", "table main"]);
  });

  test("a table does not wait for a cluster that nobody publishes", () => {
    const simulation = started(base);
    simulation.publish(withResources(base, table("main", ["a", "nowhere"])));
    while (simulation.write());
    expect(simulation.sent).toEqual(["table main"]);
  });

  test("a removed cluster stays until the table that dropped it is acknowledged", () => {
    const initial = withResources(base, cluster("b"), endpoints("b"), table("main", ["a", "b"]));
    const simulation = started(initial);
    simulation.publish(base);
    while (simulation.write());
    expect(simulation.sent).toEqual(["table main"]);
    expect(simulation.session.wakeAt).toBe(5_000);
    simulation.settle();
    expect(simulation.sent).toEqual(["table main", "-cluster b"]);
    expect(simulation.now).toBe(0);
  });

  test("a removed cluster goes after five seconds without that acknowledgement", () => {
    const simulation = started(withResources(base, cluster("b"), endpoints("b"), table("main", ["a", "b"])));
    simulation.publish(base);
    while (simulation.write());
    simulation.now = 5_000;
    while (simulation.write());
    expect(simulation.sent).toEqual(["table main", "-cluster b"]);
  });

  test("a cluster that comes back before it was removed is not touched", () => {
    const initial = withResources(base, cluster("b"), endpoints("b"), table("main", ["a", "b"]));
    const simulation = started(initial);
    simulation.publish(base);
    while (simulation.write());
    simulation.publish(initial);
    simulation.settle({ clock: true });
    expect(simulation.sent).toEqual(["table main", "table main"]);
  });

  test("a listener that takes over the address of a removed one arrives with the removal", () => {
    const simulation = started(base);
    simulation.publish(
      withResources(without(base, `${resourceTypes.listener} web`), listener("renamed", { routes: ["main"] })),
    );
    simulation.write();
    expect(simulation.sent).toEqual(["listener renamed", "-listener web"]);
  });

  test("removals come last, listeners before clusters", () => {
    const simulation = started(
      withResources(base, cluster("b"), endpoints("b"), listener("old"), table("main", ["b"])),
    );
    simulation.publish(withResources(base, endpoints("a", 1)));
    simulation.settle();
    expect(simulation.sent).toEqual(["endpoints a", "table main", "-listener old", "-cluster b"]);
  });

  test("one push of a table is under way at a time, for at most five seconds", () => {
    const simulation = started(base);
    for (const revision of [1, 2, 3]) {
      simulation.publish(withResources(base, table("main", ["a"], revision)));
      while (simulation.write());
    }
    expect(simulation.sent).toEqual(["table main"]);
    simulation.settle();
    expect(simulation.sent).toEqual(["table main", "table main"]);
    simulation.publish(withResources(base, table("main", ["a"], 4)));
    simulation.write();
    simulation.publish(withResources(base, table("main", ["a"], 5)));
    expect(simulation.write()).toBe(false);
    simulation.now = simulation.session.wakeAt;
    expect(simulation.now).toBe(5_000);
    expect(simulation.write()).toBe(true);
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
