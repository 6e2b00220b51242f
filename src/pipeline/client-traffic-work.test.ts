import { expect, test } from "@jest/globals";
import { webPair } from "../attach/key-pairs.test-support.ts";
import type { ResourceChange } from "../envoy/resource.ts";
import { batchOf } from "./batch.test-support.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";

/** What an edit of a ClientTrafficPolicy costs, in exact numbers of calls, and what it sends, among 50 routes and 20 HTTPS listeners. */

const settings = { controllerNames: ["example.com/c"], hostInfrastructure: true, privilegedPortOffset: 0 };
const group = "gateway.networking.k8s.io";
const ROUTES = 50;
const HTTPS_LISTENERS = 20;

const object = (kind: string, name: string, spec: object) => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name, ...(kind !== "GatewayClass" && { namespace: "default" }) },
  spec,
});
/** @param sections none: the Gateway as a whole */
const policy = (name: string, sections: readonly string[], content: object) => {
  const target = { group, kind: "Gateway", name: "web" };
  const targetRefs = sections.length === 0 ? [target] : sections.map((sectionName) => ({ ...target, sectionName }));
  return {
    ...object("ClientTrafficPolicy", name, { targetRefs, ...content }),
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
  };
};

function load(...policies: object[]) {
  let published: ResourceChange[] = [];
  const pipeline = createPipeline(settings, {
    xds: (changes) => published.push(...changes),
    statuses() {},
    infrastructure() {},
  });
  const secure = Array.from({ length: HTTPS_LISTENERS }, (_, index) => ({
    name: `secure-${index}`,
    protocol: "HTTPS",
    port: 8443,
    hostname: `secure-${index}.test`,
    tls: { certificateRefs: [{ name: "web" }] },
  }));
  const plain = ["one", "two"].map((name) => ({ name, protocol: "HTTP", port: 8080, hostname: `*.${name}.test` }));
  const routes = Array.from({ length: ROUTES }, (_, index) =>
    object("HTTPRoute", `route-${index}`, {
      parentRefs: [{ name: "web" }],
      hostnames: [`host-${index}.one.test`, `host-${index}.two.test`],
      rules: [{ backendRefs: [{ name: "app", port: 80 }] }],
    }),
  );
  pipeline.stage(
    batchOf(
      object("GatewayClass", "c", { controllerName: "example.com/c" }),
      object("Gateway", "web", {
        gatewayClassName: "c",
        listeners: [...plain, ...secure, { name: "tcp", protocol: "TCP", port: 9000 }],
      }),
      object("TCPRoute", "tcp", {
        parentRefs: [{ name: "web", sectionName: "tcp" }],
        rules: [{ backendRefs: [{ name: "app", port: 80 }] }],
      }),
      { ...object("Service", "app", { ports: [{ name: "http", port: 80 }] }), apiVersion: "v1" },
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "web", namespace: "default" },
        type: "kubernetes.io/tls",
        stringData: { "tls.crt": webPair.certificate, "tls.key": webPair.key },
      },
      ...routes,
      ...policies,
    ),
  );
  pipeline.markSynced();
  pipeline.commitNow();
  // What was published of Listeners is put down for when an Envoy says that it has it.
  pipeline.commitNow();
  published = [];
  const edit = (change: object) => {
    pipeline.stage(batchOf(change));
    const runs = Object.fromEntries(pipeline.commitNow().runs);
    pipeline.commitNow();
    const sent = published.map(({ type, name }) => `${type.slice(type.lastIndexOf(".") + 1)} ${name}`).sort();
    published = [];
    return { runs, sent };
  };
  return { edit, pipeline };
}

const bad = { http2: { onInvalidMessage: "Whatever" } };
/** What an edit of a policy runs of the policy itself. */
const ofPolicy = { headsOfClientTrafficPolicy: 1, clientTraffic: 1, policyReports: 1 };

/** One changed Listener: what it means to its listeners, and whether Envoys have it. */
const ofListener = { listeners: 1, listenerShares: 1, takenShares: 1, listenerRefusals: 1, gatewayReports: 1 };
/** What a port of plain HTTP comes to. */
const ofPlainPort = {
  ...{ clientPorts: 1, portStandings: 1, keepsHeaderCase: 1, withoutClientPolicy: 1, shutHosts: 1, http3Ports: 1 },
};

const ended = (pipeline: Pipeline) => {
  expect([...pipeline.failures]).toEqual([]);
  pipeline.stop();
};

test("an edit of the Gateway's policy runs its listeners, and no route", () => {
  const { edit, pipeline } = load(policy("whole", [], { healthCheck: { path: "/a" } }));
  const { runs, sent } = edit(policy("whole", [], { healthCheck: { path: "/b" } }));
  expect(runs).toEqual({
    ...ofPolicy,
    ...ofPlainPort,
    clientPorts: 3,
    ...{ listenerTls: HTTPS_LISTENERS, httpsParts: HTTPS_LISTENERS, partsByPort: HTTPS_LISTENERS },
    ...{ streamParts: 1, streamRefusals: 1 },
    ...ofListener,
    ...{ listeners: 2, listenerShares: 2, takenShares: 2, listenerRefusals: 2 },
  });
  expect(sent).toEqual(["Listener default/web/one", "Listener default/web/secure-0"]);
  ended(pipeline);
});

test("an edit of one HTTPS listener's policy builds the filter chain of that listener", () => {
  const { edit, pipeline } = load(
    policy("whole", [], { healthCheck: { path: "/a" } }),
    policy("own", ["secure-7"], { healthCheck: { path: "/a" } }),
  );
  const { runs, sent } = edit(policy("own", ["secure-7"], { healthCheck: { path: "/b" } }));
  expect(runs).toEqual({ ...ofPolicy, ...ofListener, clientPorts: 1, listenerTls: 1, httpsParts: 1, partsByPort: 1 });
  expect(sent).toEqual(["Listener default/web/secure-0"]);
  ended(pipeline);
});

test("a policy that goes bad beside others on a port of plain HTTP changes the route table, and no Listener", () => {
  const { edit, pipeline } = load(
    policy("whole", [], { healthCheck: { path: "/a" } }),
    policy("one", ["one"], { healthCheck: { path: "/b" } }),
  );
  const { runs, sent } = edit(policy("one", ["one"], bad));
  const places = { policyStandings: 1, standingsByPlace: 2, policyPlaces: 2, placesByPolicy: 2 };
  expect(runs).toEqual({
    ...ofPolicy,
    ...ofPlainPort,
    ...places,
    policyReports: 2,
    listeners: 1,
    routeConfigurations: 1,
  });
  expect(sent).toEqual(["RouteConfiguration default/web/one"]);
  // The same with another fault: nothing is sent.
  expect(edit(policy("one", ["one"], { http2: { onInvalidMessage: "Other" } })).sent).toEqual([]);
  ended(pipeline);
});

test("a policy of a listener of connections sends what concerns connections", () => {
  const { edit, pipeline } = load(policy("tcp", ["tcp"], { timeout: { tcp: { idleTimeout: "1s" } } }));
  const idle = edit(policy("tcp", ["tcp"], { timeout: { tcp: { idleTimeout: "2s" } } }));
  expect(idle.runs).toEqual({
    ...ofPolicy,
    ...ofListener,
    clientPorts: 1,
    streamParts: 1,
    streamRefusals: 1,
    partsByPort: 1,
  });
  expect(idle.sent).toEqual(["Listener default/web/tcp"]);
  // Of requests there are none.
  const requests = { timeout: { tcp: { idleTimeout: "2s" } }, path: { mergeSlashes: false } };
  expect(edit(policy("tcp", ["tcp"], requests)).sent).toEqual([]);
  expect(edit(policy("tcp", ["tcp"], bad)).sent).toEqual(["Listener default/web/tcp"]);
  ended(pipeline);
});
