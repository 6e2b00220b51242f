import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { EncodedResource } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { defaultLimits } from "./limits.ts";
import type { ModelEnvoy } from "./model-envoy.test-support.ts";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import { nextResponse } from "./next-response.ts";
import { createSession, receiveRequest } from "./session.ts";
import { started } from "./started.test-support.ts";
import { gatewayKey, listener, world } from "./world.test-support.ts";

/** What Envoy 1.40 says of a port that another process has. */
const words = "Error adding/updating listener(s) l: cannot bind '0.0.0.0:80': Address already in use\n";

/** An Envoy on a host where another process has the ports of these listeners, as long as they are in the set. */
function startWithTakenPorts(...names: readonly string[]) {
  const taken = new Set(names);
  const envoy = createModelEnvoy({
    refuses: (_type, name) => (taken.has(name) ? words : undefined),
    appliesPartly: () => true,
  });
  return { taken, ...bind(started(world(listener("a"), listener("l")), envoy)) };
}

function bind(simulation: ReturnType<typeof started>) {
  /** Goes to the moment at which the session wants to be asked next; returns how long that took. */
  const wait = (): number => {
    const before = simulation.now;
    simulation.now = simulation.session.wakeAt;
    simulation.settle();
    return simulation.now - before;
  };
  return { simulation, wait, has: () => [...simulation.envoy.versions(resourceTypes.listener).keys()].sort() };
}

test("a listener that cannot open its port is offered again after growing pauses, until it can", () => {
  const { simulation, taken, wait, has } = startWithTakenPorts("l");
  expect(has()).toEqual(["a"]);
  const pauses = Array.from({ length: 8 }, wait);
  expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(simulation.sent).toEqual(Array(8).fill("listener l"));
  taken.clear();
  wait();
  expect(has()).toEqual(["a", "l"]);
  expect(simulation.session.wakeAt).toBe(Number.POSITIVE_INFINITY);
  const { version } = listener("l");
  const told = { gateway: gatewayKey, type: resourceTypes.listener, name: "l", version };
  expect(simulation.acknowledgements.filter(({ name }) => name === "l")).toEqual([
    { ...told, accepted: false, error: words, retried: true },
    { ...told, accepted: true },
  ]);
});

test("a changed listener is offered at once, and its pauses begin anew", () => {
  const { simulation, wait, has } = startWithTakenPorts("l");
  for (let i = 0; i < 5; i++) wait();
  simulation.publish(world(listener("a"), listener("l", { revision: 1 })));
  simulation.sent.length = 0;
  simulation.settle();
  expect(simulation.sent).toEqual(["listener l"]);
  expect(wait()).toBe(250);
  simulation.publish(world(listener("a")));
  simulation.settle();
  expect(simulation.session.wakeAt).toBe(Number.POSITIVE_INFINITY);
  expect(has()).toEqual(["a"]);
});

test("while it waits, other listeners come and go, and an Envoy on another host is offered it", () => {
  const { simulation, has } = startWithTakenPorts("l");
  simulation.publish(world(listener("b"), listener("l")));
  simulation.settle();
  expect(has()).toEqual(["b"]);
  const elsewhere = createSession(simulation.store.gateway(gatewayKey), "envoy", defaultLimits, () => {});
  receiveRequest(elsewhere, { typeUrl: resourceTypes.listener }, 0);
  expect(nextResponse(elsewhere, 0)?.resources.map(({ name }) => name)).toEqual(["l", "b"]);
});

test("an update that cannot open its port leaves the accepted version in place until it can", () => {
  const { simulation, taken, wait } = startWithTakenPorts();
  taken.add("l");
  simulation.publish(world(listener("a"), listener("l", { revision: 1 })));
  simulation.settle();
  const version = () => simulation.envoy.versions(resourceTypes.listener).get("l");
  expect(version()).toBe(listener("l").version);
  taken.clear();
  wait();
  expect(version()).toBe(listener("l", { revision: 1 }).version);
});

/** A Listener on a port; the revision stands for the address. */
function onPort(name: string, port: number, revision = 0): EncodedResource {
  return { ...listener(name, { revision: port * 10 + revision }), port };
}

/** An Envoy that never has two listeners on one port, nor takes one for another address while it has it. */
function startWithPorts(...initial: readonly EncodedResource[]) {
  const ports = new Map<string, number | undefined>();
  const add = (...resources: readonly EncodedResource[]) => {
    for (const { version, port } of resources) ports.set(version, port);
    return world(...resources);
  };
  const envoy: ModelEnvoy = createModelEnvoy({
    refuses: (type, name, version) =>
      [...envoy.versions(type).values()].some((held) => held !== version && ports.get(held) === ports.get(version))
        ? `error adding listener: '${name}' has duplicate address '0.0.0.0:${ports.get(version)}' as existing listener`
        : undefined,
  });
  const simulation = started(add(...initial), envoy);
  const change = (...resources: readonly EncodedResource[]) => {
    simulation.publish(add(...resources));
    for (let i = 0; i < 10; i++) {
      simulation.settle();
      simulation.now += defaultLimits.maxRetryMilliseconds;
    }
    return Object.fromEntries(envoy.versions(resourceTypes.listener));
  };
  return { simulation, change, add };
}

const versionsOf = (...resources: readonly EncodedResource[]) =>
  Object.fromEntries(resources.map(({ name, version }) => [name, version]));

test("listeners that exchange their ports get out of each other's way, and no other is touched", () => {
  const { simulation, change } = startWithPorts(onPort("a", 1), onPort("b", 2), onPort("c", 3), onPort("d", 4));
  const swapped = [onPort("a", 2), onPort("b", 3), onPort("c", 1), onPort("d", 4)];
  expect(change(...swapped)).toEqual(versionsOf(...swapped));
  expect(simulation.sent).not.toContain("-listener d");
});

type Step = readonly number[] | "write" | "read" | "request" | "time";

test("whatever the exchanges and their interleaving, every listener ends on its port", () => {
  const ports = fc.shuffledSubarray([1, 2, 3, 4], { minLength: 3, maxLength: 3 });
  const moves = fc.constantFrom<Step>("write", "read", "request", "time");
  const steps: fc.Arbitrary<readonly Step[]> = fc.array(
    fc.oneof({ weight: 1, arbitrary: ports }, { weight: 4, arbitrary: moves }),
    {
      maxLength: 60,
    },
  );
  const place = (numbers: readonly number[]) => numbers.map((port, index) => onPort("abc".charAt(index), port));
  fc.assert(
    fc.property(steps, ports, (list, last) => {
      const { simulation, change, add } = startWithPorts(...place([1, 2, 3]));
      for (const step of list) {
        if (step === "time") simulation.now += 300;
        else if (typeof step === "string") simulation[step]();
        else simulation.publish(add(...place(step)));
      }
      expect(change(...place(last))).toEqual(versionsOf(...place(last)));
    }),
    { numRuns: 300 },
  );
});

test("a listener whose address changes on the same port gives way to itself", () => {
  const { change } = startWithPorts(onPort("a", 1), onPort("b", 2));
  const moved = [onPort("a", 1, 1), onPort("b", 2)];
  expect(change(...moved)).toEqual(versionsOf(...moved));
});

test("a listener that keeps its port does not give way", () => {
  const { simulation, change } = startWithPorts(onPort("a", 1), onPort("b", 2));
  expect(change(onPort("a", 2), onPort("b", 2))).toEqual(versionsOf(onPort("a", 1), onPort("b", 2)));
  expect(simulation.sent.filter((label) => label.startsWith("-"))).toEqual([]);
});

test("what Envoy does not understand is not offered again", () => {
  const envoy = createModelEnvoy({ refuses: (_type, name) => (name === "l" ? "unknown filter" : undefined) });
  const simulation = started(world(listener("a"), listener("l")), envoy);
  expect(simulation.session.wakeAt).toBe(Number.POSITIVE_INFINITY);
});
