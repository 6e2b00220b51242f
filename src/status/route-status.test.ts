import { describe, expect, test } from "@jest/globals";
import type { HTTPRoute } from "../api/gateway-api.ts";
import type { Problem } from "../base/problems.ts";
import type { ParentProblem } from "../pipeline/route-findings.ts";
import type { RouteReport } from "../pipeline/status-reports.ts";
import { GENERATION, short, some } from "./conditions.test-support.ts";
import { buildRouteStatus } from "./route-status.ts";

/** A report on route `a/r` with two parents, the second refused when `second` says why. */
function routeReport(problems: Problem[] = [], extra: ParentProblem[] = [], second: Problem[] = []): RouteReport {
  const refs = [
    { name: "gw", sectionName: "x" },
    { name: "gw", sectionName: "y" },
  ];
  const on = (listener: string) => [{ listener, port: 80, scheme: "http" as const, hostnames: [] }];
  return {
    kind: "HTTPRoute",
    object: {
      metadata: { namespace: "a", name: "r", generation: GENERATION },
      spec: { parentRefs: refs },
    } as HTTPRoute,
    attachment: {
      routeKind: "HTTPRoute",
      key: "a/r",
      parents: [
        {
          parentRef: refs[0]!,
          gateway: "a/gw",
          fleet: "a/gw",
          controllerName: "example.com/ours",
          listeners: on("x"),
          problems: [],
        },
        {
          parentRef: refs[1]!,
          gateway: "a/other",
          fleet: "a/other",
          controllerName: "example.com/theirs",
          listeners: second.length > 0 ? [] : on("y"),
          problems: second,
        },
      ],
    },
    resolved: { routeKind: "HTTPRoute", key: "a/r", rules: [], problems },
    extra,
  };
}

describe("a route", () => {
  const resolved = "ResolvedRefs=True/ResolvedRefs";
  test.each<[string, RouteReport, string[]]>([
    ["that serves", routeReport(), ["Accepted=True/Accepted", resolved]],
    ...["BackendNotFound", "RefNotPermitted", "InvalidKind", "UnsupportedProtocol"].map(
      (reason): [string, RouteReport, string[]] => [
        reason,
        routeReport([some("ResolvedRefs", reason)]),
        ["Accepted=True/Accepted", `ResolvedRefs=False/${reason}`],
      ],
    ),
    [
      "several reasons",
      routeReport([
        some("ResolvedRefs", "BackendNotFound"),
        some("ResolvedRefs", "RefNotPermitted"),
        some("ResolvedRefs", "BackendNotFound"),
      ]),
      ["Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound,RefNotPermitted"],
    ],
    ...["UnsupportedValue", "IncompatibleFilters"].map((reason): [string, RouteReport, string[]] => [
      reason,
      routeReport([some("Accepted", reason)]),
      [`Accepted=False/${reason}`, resolved],
    ]),
    [
      "PartiallyInvalid",
      routeReport([some("PartiallyInvalid", "UnsupportedValue")]),
      ["Accepted=True/Accepted", resolved, "PartiallyInvalid=True/UnsupportedValue"],
    ],
    [
      "what was found out later",
      routeReport(
        [],
        [
          some("RouteRulesOverlap", "Overlapping"),
          some("BackendsAvailable", "EndpointsNotFound"),
          some("Programmed", "Invalid"),
        ],
      ),
      [
        "Accepted=True/Accepted",
        resolved,
        "Programmed=False/Invalid",
        "BackendsAvailable=False/EndpointsNotFound",
        "RouteRulesOverlap=True/Overlapping",
      ],
    ],
  ])("%s", (_name, given, expected) => {
    const { parents } = buildRouteStatus(given);
    expect(parents.map(({ conditions }) => short(conditions))).toEqual([expected, expected]);
  });

  test.each(["NotAllowedByListeners", "NoMatchingListenerHostname", "NoMatchingParent"])(
    "%s at one parent",
    (reason) => {
      const { parents } = buildRouteStatus(routeReport([], [], [some("Accepted", reason)]));
      expect(
        parents.map(({ parentRef, controllerName, conditions }) => [
          parentRef.sectionName,
          controllerName,
          short(conditions),
        ]),
      ).toEqual([
        ["x", "example.com/ours", ["Accepted=True/Accepted", resolved]],
        ["y", "example.com/theirs", [`Accepted=False/${reason}`, resolved]],
      ]);
    },
  );

  test("says of each Gateway what is true there", () => {
    const extra = [{ ...some("RouteRulesOverlap", "Overlapping"), parent: "Gateway/a/other" }];
    const { parents } = buildRouteStatus(routeReport([], extra));
    expect(parents.map(({ conditions }) => short(conditions))).toEqual([
      ["Accepted=True/Accepted", resolved],
      ["Accepted=True/Accepted", resolved, "RouteRulesOverlap=True/Overlapping"],
    ]);
  });

  test("has nothing to say beyond the refusal where it is not accepted", () => {
    const { parents } = buildRouteStatus(
      routeReport(
        [some("PartiallyInvalid", "UnsupportedValue")],
        [some("BackendsAvailable", "EndpointsNotFound")],
        [some("Accepted", "NoMatchingParent")],
      ),
    );
    expect(short(parents[1]?.conditions ?? [])).toEqual(["Accepted=False/NoMatchingParent", resolved]);
    expect(short(parents[0]?.conditions ?? [])).toContain("PartiallyInvalid=True/UnsupportedValue");
  });
});
