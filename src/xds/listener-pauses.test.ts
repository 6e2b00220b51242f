import { expect, test } from "@jest/globals";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import { started as startedWith, withResources } from "./started.test-support.ts";
import { listener, world } from "./world.test-support.ts";

const version = (revision: number) => withResources(world(), listener("main", { revision }));
/** All versions are of one size, and each byte is a millisecond of Envoy's. */
const COST_MS = listener("main", { revision: 1 }).byteLength;

const started = (listenerBytesPerMillisecond = 1) =>
  startedWith(version(0), createModelEnvoy(), { listenerBytesPerMillisecond });

test("a Listener goes out when no change followed for as long as Envoy takes for one", () => {
  const simulation = started();
  simulation.publish(version(1));
  expect(simulation.write()).toBe(false);
  simulation.now = COST_MS / 2;
  simulation.publish(version(2));
  expect(simulation.write()).toBe(false);
  expect(simulation.session.wakeAt).toBe(COST_MS * 1.5);
  simulation.now = COST_MS * 1.5;
  expect(simulation.write()).toBe(true);
  simulation.settle();
  expect(simulation.sent).toEqual(["listener main"]);
});

test("steady changes hold it up for no more than four times as long", () => {
  const simulation = started();
  for (let quarter = 0; quarter < 16; quarter++) {
    simulation.now = (quarter * COST_MS) / 4;
    simulation.publish(version((quarter % 9) + 1));
    expect(simulation.write()).toBe(false);
  }
  expect(simulation.session.wakeAt).toBe(4 * COST_MS);
  simulation.now = 4 * COST_MS;
  expect(simulation.write()).toBe(true);
});

test("a small Listener does not wait, nor a new one, nor one that was put back", () => {
  const small = started(2 * COST_MS);
  small.publish(version(1));
  expect(small.write()).toBe(true);
  const simulation = started();
  simulation.publish(withResources(version(0), listener("other")));
  simulation.settle();
  expect(simulation.sent).toEqual(["listener other"]);
  simulation.publish(withResources(version(1), listener("other")));
  expect(simulation.write()).toBe(false);
  simulation.publish(withResources(version(0), listener("other")));
  simulation.now = COST_MS;
  expect(simulation.write()).toBe(false);
  expect(simulation.session.wakeAt).toBe(Number.POSITIVE_INFINITY);
});
