import { describe, expect, test } from "@jest/globals";
import { batchOf } from "./batch.test-support.ts";
import { createPipeline, type Pipeline } from "./pipeline.ts";
import type { PolicyReport } from "./policy-reports.ts";

/** Which targets a policy reaches, for all kinds of policies and of targets, and what of them its status says. */

const settings = { controllerNames: ["example.com/c"], hostInfrastructure: true, privilegedPortOffset: 0 };
const group = "gateway.networking.k8s.io";
const owner = "gateway.envoyproxy.io";

/** Kinds of targets of each kind of policy. Envoy Gateway, section 2 of its behaviour. */
const targets = {
  BackendTrafficPolicy: ["Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"],
  SecurityPolicy: ["Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TCPRoute"],
  ClientTrafficPolicy: ["Gateway", "ListenerSet"],
} as const;
type PolicyKind = keyof typeof targets;
const pairs = Object.entries(targets).flatMap(([policy, kinds]) =>
  kinds.map((kind) => [policy as PolicyKind, kind] as const),
);

const object = (kind: string, namespace: string | undefined, name: string, spec: object, labels = {}) => ({
  apiVersion: kind === "ReferenceGrant" ? `${group}/v1beta1` : `${group}/v1`,
  kind,
  metadata: { name, labels, ...(namespace !== undefined && { namespace }) },
  spec,
});

/** A Gateway with all else that can be a target, each called `a` and labelled. */
function world(namespace: string): object[] {
  const labels = { tier: "gold" };
  const route = (kind: string, hostnames?: readonly string[]) => {
    const rules = [{ name: "known", backendRefs: [{ name: "app", port: 80 }] }];
    const spec = { parentRefs: [{ name: "a" }], ...(hostnames && { hostnames }), rules };
    return object(kind, namespace, "a", spec, labels);
  };
  const listeners = [
    { name: "known", protocol: "HTTP", port: 8080 },
    { name: "tls", protocol: "TLS", port: 9443, tls: { mode: "Passthrough" } },
    { name: "tcp", protocol: "TCP", port: 9000 },
    { name: "udp", protocol: "UDP", port: 9001 },
  ];
  const allowedListeners = { namespaces: { from: "Same" } };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels: { team: namespace } } },
    object("Gateway", namespace, "a", { gatewayClassName: "c", allowedListeners, listeners }, labels),
    object(
      "ListenerSet",
      namespace,
      "a",
      { parentRef: { name: "a" }, listeners: [{ name: "known", protocol: "HTTP", port: 8081 }] },
      labels,
    ),
    ...["HTTPRoute", "GRPCRoute", "TCPRoute", "UDPRoute"].map((kind) => route(kind)),
    route("TLSRoute", ["a.test"]),
  ];
}

const policyObject = (kind: PolicyKind, name: string, spec: object, created?: string) => ({
  apiVersion: `${owner}/v1alpha1`,
  kind,
  metadata: { name, namespace: "own", ...(created !== undefined && { creationTimestamp: created }) },
  spec,
});

function start(...policies: object[]): Pipeline {
  const pipeline = createPipeline(settings, { xds() {}, statuses() {}, infrastructure() {} });
  const to = [...new Set(Object.values(targets).flat())].map((kind) => ({ group, kind }));
  const from = Object.keys(targets).map((kind) => ({ group: owner, kind, namespace: "own" }));
  pipeline.stage(
    batchOf(
      object("GatewayClass", undefined, "c", { controllerName: "example.com/c" }),
      ...["own", "granted", "strange"].flatMap(world),
      object("ReferenceGrant", "granted", "g", { from, to }),
      ...policies,
    ),
  );
  pipeline.markSynced();
  pipeline.commitNow();
  return pipeline;
}

/** `<kind> <namespace>/<name>[#section] <reason>` of each ancestor. */
function said(pipeline: Pipeline, kind: PolicyKind, name: string): readonly string[] {
  const report = new Map(pipeline.statuses()).get(`${kind}/own/${name}`) as PolicyReport | undefined;
  return (report?.ancestors ?? []).map(({ kind: place, key, sectionName, problems }) => {
    const reasons = problems.filter(({ condition }) => condition === "Accepted").map(({ reason }) => reason);
    return `${place} ${key}${sectionName === undefined ? "" : `#${sectionName}`} ${reasons.join() || "Accepted"}`;
  });
}

interface Way {
  readonly name: string;
  readonly spec: (kind: string) => object;
  /** Namespaces whose objects are reached. */
  readonly reaches: readonly string[];
  readonly section?: string;
  readonly reason?: string;
}

const ref = (kind: string, more: object = {}) => ({ group, kind, name: "a", ...more });
const selector = (more: object) => (kind: string) => ({ targetSelectors: [{ kind, ...more }] });
const gold = { matchLabels: { tier: "gold" } };
const inGold = { matchExpressions: [{ key: "tier", operator: "In", values: ["gold", "tin"] }] };
const teams = (...values: string[]) => ({
  namespaces: { from: "Selector", selector: { matchExpressions: [{ key: "team", operator: "In", values }] } },
});

const ways: readonly Way[] = [
  { name: "targetRef", spec: (kind) => ({ targetRef: ref(kind) }), reaches: ["own"] },
  { name: "targetRefs", spec: (kind) => ({ targetRefs: [ref(kind)] }), reaches: ["own"] },
  { name: "the same target twice", spec: (kind) => ({ targetRefs: [ref(kind), ref(kind)] }), reaches: ["own"] },
  {
    name: "a section",
    spec: (kind) => ({ targetRefs: [ref(kind, { sectionName: "known" })] }),
    reaches: ["own"],
    section: "known",
  },
  {
    name: "a section that is not there",
    spec: (kind) => ({ targetRefs: [ref(kind, { sectionName: "none" })] }),
    reaches: ["own"],
    section: "none",
    reason: "TargetNotFound",
  },
  { name: "nothing that is there", spec: (kind) => ({ targetRefs: [ref(kind, { name: "b" })] }), reaches: [] },
  { name: "a label", spec: selector(gold), reaches: ["own"] },
  { name: "all of the kind", spec: selector({}), reaches: ["own"] },
  { name: "an expression", spec: selector(inGold), reaches: ["own"] },
  { name: "a label and an expression", spec: selector({ ...gold, ...inGold }), reaches: ["own"] },
  { name: "another label", spec: selector({ matchLabels: { tier: "tin" } }), reaches: [] },
  {
    name: "an expression that does not hold",
    spec: selector({ matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] }),
    reaches: [],
  },
  { name: "all namespaces", spec: selector({ ...gold, namespaces: { from: "All" } }), reaches: ["granted", "own"] },
  { name: "namespaces by label", spec: selector({ ...gold, ...teams("granted") }), reaches: ["granted"] },
  {
    name: "several namespaces by label",
    spec: selector(teams("own", "strange", "granted")),
    reaches: ["granted", "own"],
  },
  { name: "a namespace without a grant", spec: selector({ ...gold, ...teams("strange") }), reaches: [] },
  {
    name: "by name and by label",
    spec: (kind) => ({ targetRefs: [ref(kind)], ...selector(gold)(kind) }),
    reaches: ["own"],
  },
];

const expected = (kind: string, { reaches, section, reason = "Accepted" }: Way) =>
  reaches.map((namespace) => {
    const isRoute = kind.endsWith("Route");
    const place = isRoute ? "Gateway" : kind;
    return `${place} ${namespace}/a${section === undefined || isRoute ? "" : `#${section}`} ${reason}`;
  });

describe.each(pairs)("%s of %s", (policy, kind) => {
  test.each(ways)("$name", (way) => {
    const pipeline = start(policyObject(policy, "p", way.spec(kind)));
    expect(said(pipeline, policy, "p")).toEqual(expected(kind, way));
    expect([...pipeline.failures]).toEqual([]);
    pipeline.stop();
  });

  const [old, young] = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"];
  test.each<[string, object, object]>([
    ["as a whole", { targetRefs: [ref(kind)] }, { targetRefs: [ref(kind)] }],
    [
      "at a section",
      { targetRefs: [ref(kind, { sectionName: "known" })] },
      { targetRefs: [ref(kind, { sectionName: "known" })] },
    ],
    ["by name and by label", { targetRefs: [ref(kind)] }, selector(gold)(kind)],
    ["by label and by name", selector(gold)(kind), { targetRefs: [ref(kind)] }],
  ])("the older of two wins %s, and the other when it is gone", (_name, first, second) => {
    const pipeline = start(policyObject(policy, "z", first, old), policyObject(policy, "a", second, young));
    const reasons = (name: string) => said(pipeline, policy, name).map((text) => text.split(" ").at(-1));
    expect([reasons("z"), reasons("a")]).toEqual([["Accepted"], ["Conflicted"]]);
    // Of equal age the first by name.
    pipeline.stage(batchOf(policyObject(policy, "z", first, young)));
    pipeline.commitNow();
    expect([reasons("z"), reasons("a")]).toEqual([["Conflicted"], ["Accepted"]]);
    const collection = `${policy.charAt(0).toLowerCase()}${policy.slice(1).replace(/y$/, "ies")}`;
    pipeline.stage({ [collection]: new Map([["own/a", undefined]]) });
    pipeline.commitNow();
    expect(reasons("z")).toEqual(["Accepted"]);
    pipeline.stop();
  });
});

test.each(Object.keys(targets) as PolicyKind[])("%s selects no other kinds, and says so where it counts", (policy) => {
  const kinds: readonly string[] = targets[policy];
  const others = [...new Set(Object.values(targets).flat())].filter((kind) => !kinds.includes(kind));
  for (const kind of [...others, "Service"]) {
    const pipeline = start(policyObject(policy, "p", { ...selector(gold)(kind), targetRefs: [ref("Gateway")] }));
    expect(said(pipeline, policy, "p")).toEqual(["Gateway own/a Invalid"]);
    pipeline.stop();
  }
});
