import { expect, test } from "@jest/globals";
import { resourceTypes } from "../envoy/resource.ts";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import { isBehind, receiveRequest } from "./session.ts";
import { base, started, without, withResources } from "./started.test-support.ts";
import { cluster, endpoints, listener, table } from "./world.test-support.ts";

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
  const next = withResources(base, cluster("b"));
  simulation.publish(withResources(next, table("main", ["a", "b"])));
  while (simulation.write());
  // Envoy asks for the endpoints, and there are none: the cluster never gets ready.
  while (simulation.read() || simulation.request());
  while (simulation.write());
  simulation.now = 1_500;
  simulation.publish(withResources(next, table("main", ["a", "b"], 1)));
  while (simulation.write());
  expect(simulation.session.wakeAt).toBe(2_000);
  simulation.now = 1_999;
  while (simulation.write());
  expect(simulation.sent).toEqual(["cluster b", "-endpoints b"]);
  simulation.now = 2_000;
  while (simulation.write());
  expect(simulation.sent.at(-1)).toBe("table main");
});

test("a table waits for an Envoy that is busy, or takes one of many clusters after the other, but not for ever", () => {
  const simulation = started(base);
  const next = withResources(base, cluster("b"), endpoints("b"), cluster("c"), endpoints("c"));
  simulation.publish(withResources(next, table("main", ["a", "b", "c"])));
  while (simulation.write());
  // It has not even asked for the endpoints.
  simulation.now = 5_000;
  while (simulation.write());
  expect(simulation.sent).toEqual(["cluster b", "cluster c"]);
  expect(simulation.session.wakeAt).toBe(10_000);
  // Now it asks, and two seconds begin.
  while (simulation.read() || simulation.request());
  while (simulation.write());
  simulation.now = 6_999;
  while (simulation.write());
  expect(simulation.sent).toEqual(["cluster b", "cluster c", "endpoints b", "endpoints c"]);
  simulation.now = 7_000;
  while (simulation.write());
  expect(simulation.sent.at(-1)).toBe("table main");
});

test("an Envoy that does not say a word gets the table after ten seconds", () => {
  const simulation = started(base);
  simulation.publish(withResources(base, cluster("b"), endpoints("b"), table("main", ["a", "b"])));
  while (simulation.write());
  simulation.now = 9_999;
  while (simulation.write());
  expect(simulation.sent).toEqual(["cluster b"]);
  simulation.now = 10_000;
  while (simulation.write());
  expect(simulation.sent).toEqual(["cluster b", "table main"]);
});

test("many clusters go one part after the other, so that a change comes between them", () => {
  const names = ["b", "c", "d"];
  const more = withResources(base, ...names.flatMap((name) => [cluster(name), endpoints(name)]));
  const simulation = started(more, createModelEnvoy(), { maxClusterRemovals: 2 });
  simulation.publish(base);
  while (simulation.write());
  expect(simulation.sent).toEqual(["-cluster b", "-cluster c"]);
  simulation.publish(withResources(base, table("main", ["a"], 1)));
  simulation.settle();
  expect(simulation.sent).toEqual(["-cluster b", "-cluster c", "table main", "-cluster d"]);

  // A client that does not answer delays the rest by a second.
  const silent = started(more, createModelEnvoy(), { maxClusterRemovals: 2 });
  silent.publish(base);
  while (silent.write());
  expect(silent.session.wakeAt).toBe(1_000);
  silent.now = 1_000;
  while (silent.write());
  expect(silent.sent).toEqual(["-cluster b", "-cluster c", "-cluster d"]);
});

test("an Envoy is behind while it has more than a few new clusters to take, or a table", () => {
  const simulation = started(base, createModelEnvoy(), { clustersBehind: 1 });
  expect(isBehind(simulation.session)).toBe(false);
  const next = withResources(base, cluster("b"), endpoints("b"), cluster("c"), endpoints("c"));
  simulation.publish(next);
  expect(isBehind(simulation.session)).toBe(true);
  simulation.settle();
  expect(isBehind(simulation.session)).toBe(false);
  simulation.publish(withResources(next, table("main", ["b"])));
  simulation.write();
  expect(isBehind(simulation.session)).toBe(true);
  simulation.settle();
  expect(isBehind(simulation.session)).toBe(false);
});

test("a table that waited once waits as long for its next new cluster", () => {
  const simulation = started(base);
  const next = withResources(base, cluster("b"), endpoints("b"), table("main", ["a", "b"]));
  simulation.publish(next);
  while (simulation.write());
  simulation.now = 2_000;
  simulation.settle();
  simulation.now = 10_000;
  simulation.publish(withResources(next, cluster("c"), endpoints("c"), table("main", ["a", "b", "c"])));
  while (simulation.write());
  expect(simulation.session.wakeAt).toBe(12_000);
});

test("a cluster that was removed and came back is new: an old acknowledgement does not count", () => {
  const simulation = started(base);
  simulation.publish(withResources(base, cluster("b"), endpoints("b")));
  simulation.write();
  const nonce = String(simulation.session.nonces);
  simulation.publish(base);
  simulation.write();
  simulation.publish(withResources(base, cluster("b"), endpoints("b"), table("main", ["b"])));
  simulation.write();
  receiveRequest(simulation.session, { typeUrl: resourceTypes.cluster, responseNonce: nonce }, simulation.now);
  expect(simulation.write()).toBe(false);
  expect(simulation.sent).toEqual(["cluster b", "-cluster b", "cluster b"]);
  simulation.settle();
  expect(simulation.sent.at(-1)).toBe("table main");
});

test("clusters that nothing uses go at once, whatever others wait for", () => {
  const more = withResources(base, cluster("c"), endpoints("c"));
  const simulation = started(withResources(more, cluster("b"), endpoints("b"), table("main", ["b"])));
  simulation.publish(more);
  while (simulation.write());
  simulation.publish(base);
  while (simulation.write());
  expect(simulation.sent).toEqual(["table main", "-cluster c"]);
});

test("a removed cluster stays while a table that leads to it is under way", () => {
  const simulation = started(withResources(base, cluster("b"), endpoints("b")));
  simulation.publish(withResources(base, cluster("b"), endpoints("b"), table("main", ["b"])));
  simulation.write();
  simulation.publish(base);
  while (simulation.write());
  expect(simulation.sent).toEqual(["table main"]);
  simulation.settle();
  expect(simulation.sent).toEqual(["table main", "table main", "-cluster b"]);
});

test("a removed cluster stays until the removal of the listener that leads to it is acknowledged", () => {
  const proxy = { ...listener("tcp"), clusters: [["b"]] };
  const simulation = started(withResources(base, cluster("b"), endpoints("b"), proxy));
  simulation.publish(base);
  while (simulation.write());
  expect(simulation.sent).toEqual(["-listener tcp"]);
  simulation.settle();
  expect(simulation.sent).toEqual(["-listener tcp", "-cluster b"]);
});

test("a listener is not removed while its successor waits for clusters, nor if it comes back meanwhile", () => {
  const simulation = started(withResources(base, listener("old")), createModelEnvoy(), { responseBytes: 1 });
  const successor = { ...listener("new"), clusters: [["b"]] };
  const next = withResources(base, cluster("b"), endpoints("b"), successor);
  simulation.publish(next);
  while (simulation.write());
  expect(simulation.sent).toEqual(["cluster b"]);
  simulation.publish(withResources(next, listener("another")));
  while (simulation.write());
  simulation.publish(withResources(next, listener("another"), listener("third"), listener("old")));
  simulation.settle();
  expect(simulation.sent.filter((each) => each.includes("listener")).sort()).toEqual([
    "listener another",
    "listener new",
    "listener third",
  ]);
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
  const simulation = started(withResources(base, cluster("b"), endpoints("b"), listener("old"), table("main", ["b"])));
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
