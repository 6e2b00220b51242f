import { expect, test } from "@jest/globals";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import { base, started, withResources } from "./started.test-support.ts";
import { listener, scope } from "./world.test-support.ts";

/** Scopes of route tables in buckets (translate/host-buckets.ts). */

const scoped = (revision: number) => listener("web", { scopes: ["main#0", "main#1"], revision });
const inBuckets = withResources(base, scoped(1), scope("main#0"), scope("main#1"));

test("scopes follow every Listener that has them, since Envoy does not ask again", () => {
  const simulation = started(base);
  simulation.publish(inBuckets);
  simulation.settle();
  expect(simulation.sent).toEqual(["listener web", "scope main#0", "scope main#1"]);
  simulation.sent.length = 0;
  simulation.publish(withResources(inBuckets, scoped(2)));
  simulation.settle();
  expect(simulation.sent).toEqual(["listener web", "scope main#0", "scope main#1"]);
  simulation.sent.length = 0;
  simulation.reconnect(true);
  simulation.settle();
  expect(simulation.sent).toEqual([]);
});

test("connections that drain have their scopes for as long as it takes", () => {
  const simulation = started(inBuckets, createModelEnvoy(), { scopeWaitMilliseconds: 1_000 });
  simulation.publish(base);
  simulation.settle();
  expect(simulation.sent).toEqual(["listener web", "secret cert", "table main"]);
  simulation.settle({ clock: true });
  expect(simulation.sent.slice(3)).toEqual(["-scope main#0", "-scope main#1"]);
});

test("a table that is in buckets again before that keeps them", () => {
  const simulation = started(inBuckets, createModelEnvoy(), { scopeWaitMilliseconds: 1_000 });
  simulation.publish(base);
  simulation.settle();
  simulation.publish(inBuckets);
  simulation.settle();
  simulation.sent.length = 0;
  simulation.settle({ clock: true });
  expect(simulation.sent).toEqual([]);
});
