import { expect, test } from "@jest/globals";
import { batchOf } from "./batch.test-support.ts";
import { createPipeline } from "./pipeline.ts";
import type { PolicyReport } from "./policy-reports.ts";

/**
 * Whose policy counts where several levels have one: all subsets of the levels, with and without `mergeType`, one after the other in one
 * pipeline, against an oracle that knows chains only (Envoy Gateway, section 2 of its behaviour).
 */

const settings = { controllerNames: ["example.com/c"], hostInfrastructure: true, privilegedPortOffset: 0 };
const group = "gateway.networking.k8s.io";

const at = (kind: string, name: string, sectionName?: string) => ({
  ...{ group, kind, name },
  ...(sectionName !== undefined && { sectionName }),
});
/** Levels, the most specific first. */
const levels = {
  rule: at("HTTPRoute", "a", "r"),
  route: at("HTTPRoute", "a"),
  setListener: at("ListenerSet", "s", "three"),
  set: at("ListenerSet", "s"),
  one: at("Gateway", "g", "one"),
  two: at("Gateway", "g", "two"),
  gateway: at("Gateway", "g"),
} as const;
type Level = keyof typeof levels;
const names = Object.keys(levels) as Level[];
const ofRoutes: readonly Level[] = ["rule", "route"];

/** What counts for a listener, the most specific first. What a Gateway's listener has is nothing to those of ListenerSets. */
const listenerChains: readonly (readonly Level[])[] = [
  ["one", "gateway"],
  ["two", "gateway"],
  ["setListener", "set", "gateway"],
];

interface Outcome {
  readonly overridden: boolean;
  readonly merged: boolean;
}

/** Of each level that is there, whether others take its place or are merged with it. */
function oracle(present: readonly Level[], merging: boolean): Readonly<Record<string, Outcome>> {
  const overridden = new Set<Level>();
  const merged = new Set<Level>();
  const has = (level: Level) => present.includes(level);
  for (const chain of listenerChains) {
    const [nearest, ...wider] = chain.filter(has);
    for (const level of wider) overridden.add(level);
    // The rule that has a policy and the rules that have none.
    for (const own of [ofRoutes, ["route"] as const].map((some) => some.filter(has))) {
      const [first, ...rest] = own;
      for (const level of rest) overridden.add(level);
      if (first === undefined || nearest === undefined) continue;
      if (merging) {
        merged.add(first);
        merged.add(nearest);
      } else overridden.add(nearest);
    }
  }
  return Object.fromEntries(
    present.map((level) => [level, { overridden: overridden.has(level), merged: merged.has(level) }]),
  );
}

function start() {
  const pipeline = createPipeline(settings, { xds() {}, statuses() {}, infrastructure() {} });
  const object = (kind: string, name: string, spec: object) => ({
    apiVersion: `${group}/v1`,
    kind,
    metadata: { name, ...(kind !== "GatewayClass" && { namespace: "ns" }) },
    spec,
  });
  const allowedListeners = { namespaces: { from: "Same" } };
  const listeners = ["one", "two"].map((name, index) => ({ name, protocol: "HTTP", port: 8080 + index }));
  const rules = ["r", "s"].map((name) => ({ name, matches: [{ path: { value: `/${name}` } }] }));
  pipeline.stage(
    batchOf(
      object("GatewayClass", "c", { controllerName: "example.com/c" }),
      object("Gateway", "g", { gatewayClassName: "c", allowedListeners, listeners }),
      object("ListenerSet", "s", {
        parentRef: { name: "g" },
        listeners: [{ name: "three", protocol: "HTTP", port: 8090 }],
      }),
      object("HTTPRoute", "a", { parentRefs: [{ name: "g" }, { group, kind: "ListenerSet", name: "s" }], rules }),
    ),
  );
  pipeline.markSynced();
  pipeline.commitNow();
  return pipeline;
}

/** In the order of a Gray code, in which neighbours differ by one policy that comes or goes. */
const subsets = (all: readonly Level[]) =>
  Array.from({ length: 2 ** all.length }, (_, index) =>
    all.filter((_level, bit) => ((index ^ (index >> 1)) >> bit) & 1),
  );

test.each([
  ["BackendTrafficPolicy", "backendTrafficPolicies", names, false],
  ["BackendTrafficPolicy", "backendTrafficPolicies", names, true],
  ["SecurityPolicy", "securityPolicies", names, false],
  ["SecurityPolicy", "securityPolicies", names, true],
  ["ClientTrafficPolicy", "clientTrafficPolicies", names.filter((level) => !ofRoutes.includes(level)), false],
] as const)("%s: who takes whose place (%s, %j, merged: %s)", (kind, collection, all, merging) => {
  const pipeline = start();
  const policy = (level: Level) => ({
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind,
    metadata: { name: level.toLowerCase(), namespace: "ns" },
    spec: { targetRefs: [levels[level]], ...(merging && ofRoutes.includes(level) && { mergeType: "StrategicMerge" }) },
  });
  const wrong: unknown[] = [];
  for (const present of subsets(all)) {
    const gone = all
      .filter((level) => !present.includes(level))
      .map((level) => [`ns/${level.toLowerCase()}`, undefined]);
    const there = present.length === 0 ? {} : batchOf(...present.map(policy));
    const staged = new Map([...(Object.values(there)[0] ?? new Map()), ...gone] as [string, never][]);
    pipeline.stage({ [collection]: staged });
    pipeline.commitNow();
    const statuses = new Map(pipeline.statuses());
    const found = Object.fromEntries(
      present.map((level) => {
        const report = statuses.get(`${kind}/ns/${level.toLowerCase()}`) as PolicyReport;
        const conditions = report.ancestors.flatMap(({ problems }) => problems.map(({ condition }) => condition));
        const others = conditions.filter((condition) => condition !== "Overridden" && condition !== "Merged");
        const [overridden, merged] = [conditions.includes("Overridden"), conditions.includes("Merged")];
        return [level, { overridden, merged, ...(others.length > 0 && { others }) }];
      }),
    );
    const wanted = oracle(present, merging);
    if (JSON.stringify(found) !== JSON.stringify(wanted)) wrong.push({ present, found, wanted });
  }
  expect(wrong).toEqual([]);
  expect([...pipeline.failures]).toEqual([]);
  pipeline.stop();
});

const policyAt = (name: string, target: object, spec: object, kind = "BackendTrafficPolicy") => ({
  apiVersion: "gateway.envoyproxy.io/v1alpha1",
  kind,
  metadata: { name, namespace: "ns" },
  spec: { targetRefs: [target], ...spec },
});
const merging = (spec: object, kind?: string) =>
  policyAt("child", levels.route, { mergeType: "JSONMerge", ...spec }, kind);

test.each([
  [
    "the other is bad",
    policyAt("parent", levels.gateway, { timeout: { tcp: { connectTimeout: "0s" } } }),
    merging({ retry: { numRetries: 1 } }),
    /Field spec.mergeType has this policy merged over BackendTrafficPolicy ns\/parent, which cannot do what it says/,
  ],
  [
    "the other is bad in what this one says itself",
    policyAt("parent", levels.gateway, { timeout: { tcp: { connectTimeout: "0s" } } }),
    merging({ timeout: { tcp: { connectTimeout: "1s" } } }),
    /Field spec.mergeType has this policy merged over/,
  ],
  [
    "the other is bad, of security",
    policyAt("parent", levels.gateway, { basicAuth: { users: { name: "absent" } } }, "SecurityPolicy"),
    merging({ cors: { allowOrigins: ["*"] } }, "SecurityPolicy"),
    /Field spec.mergeType has this policy merged over SecurityPolicy ns\/parent/,
  ],
  ["both are good", policyAt("parent", levels.gateway, {}), merging({ retry: { numRetries: 1 } }), undefined],
] as const)("a policy says why it cannot be merged: %s", (_name, parent, child, said) => {
  const pipeline = start();
  pipeline.stage(batchOf(parent, child));
  pipeline.commitNow();
  const report = new Map(pipeline.statuses()).get(`${child.kind}/ns/child`) as PolicyReport;
  const texts = report.ancestors.flatMap(({ problems }) =>
    problems.filter(({ condition }) => condition === "Accepted").map(({ message }) => message),
  );
  expect(texts).toEqual(said === undefined ? [] : texts.map(() => expect.stringMatching(said)));
  expect(texts.length).toBe(said === undefined ? 0 : 2);
  pipeline.stop();
});
