import { describe, expect, test } from "@jest/globals";
import type { BackendTrafficPolicy } from "../api/backendtrafficpolicy.ts";
import type { ReferenceGrant } from "../api/gateway-api.ts";
import {
  claimOf,
  findSelectorFaults,
  headOf,
  placeOfSelector,
  placesOfTarget,
  selects,
  settlePolicies,
} from "./policy-claims.ts";
import { effectivePolicy, policiesOfListener } from "./policy-effect.ts";
import type { PoliciesByKind } from "./policy-model.ts";

type Selector = NonNullable<BackendTrafficPolicy["spec"]["targetSelectors"]>[number];

const group = "gateway.networking.k8s.io";
const kind = "BackendTrafficPolicy";

function policy(spec: BackendTrafficPolicy["spec"], name = "p", created?: string): BackendTrafficPolicy {
  const metadata = { name, namespace: "own", ...(created !== undefined && { creationTimestamp: created }) };
  return { apiVersion: "gateway.envoyproxy.io/v1alpha1", kind, metadata, spec };
}

describe("targetSelectors", () => {
  const grant: ReferenceGrant = {
    apiVersion: `${group}/v1`,
    kind: "ReferenceGrant",
    metadata: { name: "g", namespace: "granted" },
    spec: {
      from: [{ group: "gateway.envoyproxy.io", kind, namespace: "own" }],
      to: [{ group, kind: "HTTPRoute" }],
    },
  };
  const read = {
    grants: (namespace: string) => (namespace === "granted" ? [grant] : []),
    namespaceLabels: (namespace: string) => ({ team: namespace }),
  };
  const isSelected = (selector: Partial<Selector>, namespace: string, labels: Record<string, string>) => {
    const head = headOf(kind, policy({ targetSelectors: [{ group, kind: "HTTPRoute", ...selector }] }));
    const [only] = head.selectors;
    if (only === undefined) return "no selector";
    const selecting = { ...head, selector: only };
    const object = { metadata: { name: "r", namespace, labels } };
    const selected = selects(selecting, "HTTPRoute", object, read);
    // The index never hides what is selected.
    const { areas, labels: filed } = placesOfTarget("HTTPRoute", object);
    const place = placeOfSelector(selecting);
    if (selected) expect([areas.includes(place.area), filed.includes(place.label)]).toEqual([true, true]);
    return selected;
  };
  const gold = { matchLabels: { tier: "gold" } };
  const all: Partial<Selector> = { namespaces: { from: "All" } };
  const some = (team: string): Partial<Selector> => ({
    namespaces: { from: "Selector", selector: { matchLabels: { team } } },
  });

  test.each<[string, Partial<Selector>, string, Record<string, string>, boolean | string]>([
    ["a label", gold, "own", { tier: "gold" }, true],
    ["a label with another value", gold, "own", { tier: "tin" }, false],
    ["no label", gold, "own", {}, false],
    ["nothing asked", {}, "own", {}, true],
    ["two labels", { matchLabels: { tier: "gold", zone: "a" } }, "own", { zone: "a", tier: "gold" }, true],
    ["an expression", { matchExpressions: [{ key: "a", operator: "Exists" }] }, "own", { a: "" }, true],
    ["an expression that does not hold", { matchExpressions: [{ key: "a", operator: "Exists" }] }, "own", {}, false],
    [
      "both, one fails",
      { ...gold, matchExpressions: [{ key: "a", operator: "DoesNotExist" }] },
      "own",
      { tier: "gold", a: "" },
      false,
    ],
    ["another namespace by default", gold, "granted", { tier: "gold" }, false],
    ["another namespace with a grant", { ...gold, ...all }, "granted", { tier: "gold" }, true],
    ["another namespace without a grant", { ...gold, ...all }, "other", { tier: "gold" }, false],
    ["the own namespace among all", { ...gold, ...all }, "own", { tier: "gold" }, true],
    ["a namespace by its label", some("granted"), "granted", {}, true],
    ["a namespace of another label", some("own"), "granted", {}, false],
    ["an operator that is none", { matchExpressions: [{ key: "a", operator: "Is" }] }, "own", {}, "no selector"],
  ])("%s", (_, selector, namespace, labels, expected) => {
    expect(isSelected(selector, namespace, labels)).toBe(expected);
  });

  test("a selector that cannot be understood is told of", () => {
    const wrong: Selector = {
      group,
      kind: "HTTPRoute",
      namespaces: { from: "Selector", selector: { matchExpressions: [{ key: "a", operator: "In" }] } },
    };
    expect(findSelectorFaults("BackendTrafficPolicy", policy({ targetSelectors: [wrong] }))).toEqual([
      { field: "spec.targetSelectors[0].namespaces.selector", text: expect.stringContaining("no values for In") },
    ]);
  });
});

describe("who is in effect", () => {
  const claim = (name: string, created: string, section?: string) =>
    claimOf({ kind, key: `own/${name}`, created }, "HTTPRoute/own/r", section);

  test.each([
    ["the older", [claim("b", "2026-01-01T00:00:00Z"), claim("a", "2026-01-02T00:00:00Z")], "own/b"],
    ["of equal age the first by name", [claim("b", ""), claim("a", "")], "own/a"],
    ["whatever the order", [claim("a", ""), claim("b", "")], "own/a"],
  ])("%s", (_, claims, winner) => {
    expect(settlePolicies(claims)[kind]).toEqual({ whole: { policy: winner } });
  });

  test("sections and kinds are places of their own", () => {
    const others = claimOf({ kind: "ClientTrafficPolicy", key: "own/c", created: "" }, "Gateway/own/g");
    expect(settlePolicies([claim("a", ""), claim("b", "", "s"), claim("c", "9", "s"), others])).toEqual({
      BackendTrafficPolicy: { whole: { policy: "own/a" }, sections: { s: { policy: "own/b" } } },
      ClientTrafficPolicy: { whole: { policy: "own/c" } },
    });
  });

  /** Every place has a policy that is called after it; `without` takes places away. */
  const at =
    (...without: string[]) =>
    (target: string): PoliciesByKind => {
      const has = (name: string) => !without.includes(name);
      const section = `${target}#l`;
      return {
        [kind]: {
          ...(has(target) && { whole: { policy: target } }),
          ...(has(section) && { sections: { l: { policy: section } } }),
        },
      };
    };
  const own = { gateway: "ns/g", name: "l" };
  const ofSet = { ...own, listenerSet: "ns/s" };

  test.each<[string, typeof own & { listenerSet?: string }, string[], string | undefined]>([
    ["listener of a Gateway", own, [], "Gateway/ns/g#l"],
    ["Gateway", own, ["Gateway/ns/g#l"], "Gateway/ns/g"],
    ["nobody", own, ["Gateway/ns/g#l", "Gateway/ns/g"], undefined],
    ["listener of a ListenerSet", ofSet, [], "ListenerSet/ns/s#l"],
    ["ListenerSet", ofSet, ["ListenerSet/ns/s#l"], "ListenerSet/ns/s"],
    [
      "not the Gateway's listener of the name, but the Gateway",
      ofSet,
      ["ListenerSet/ns/s#l", "ListenerSet/ns/s"],
      "Gateway/ns/g",
    ],
  ])("for a listener: %s", (_, listener, without, expected) => {
    expect(policiesOfListener(listener, at(...without))?.[kind]?.policy).toBe(expected);
  });

  const inherited = { policies: { [kind]: { policy: "parent", from: { kind: "Gateway", key: "ns/g" } } } } as const;
  const rules = { sections: { r: { policy: "rule", mergeType: "JSONMerge" } }, whole: { policy: "route" } } as const;
  const { from } = inherited.policies[kind];

  test.each([
    [
      "a rule, merged over the listener's",
      { [kind]: rules },
      "r",
      { policy: "rule", mergedOver: { policy: "parent", from }, mergeType: "JSONMerge" },
    ],
    [
      "a route, instead of the listener's",
      { [kind]: rules },
      "s",
      { policy: "route", instead: { policy: "parent", from } },
    ],
    ["a rule without a name", { [kind]: rules }, undefined, { policy: "route", instead: { policy: "parent", from } }],
    ["a rule called like a member of every object", { [kind]: { sections: {} } }, "constructor", { policy: "parent" }],
    ["the listener's", undefined, "r", { policy: "parent" }],
    ["the same as the listener's", { [kind]: { whole: { policy: "parent" } } }, "r", { policy: "parent" }],
  ])("for %s", (_, policies, name, expected) => {
    expect(effectivePolicy(kind, policies === undefined ? {} : { policies }, name, inherited)).toEqual(expected);
  });
});
