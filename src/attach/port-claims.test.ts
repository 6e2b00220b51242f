import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import type { Gateway } from "../api/gateway-api.ts";
import { draftOfGateway } from "./gateway.test-support.ts";
import { bindPortOf, planGateway } from "./gateway.ts";
import { type Transport, transportOf } from "./listener-protocol.ts";
import type { GatewayDraft, ListenerPlan, Settings } from "./model.ts";
import { explained } from "./objects.test-support.ts";
import {
  claimPorts,
  findRivals,
  firstClaims,
  hostnameOf,
  meetingPlace,
  type PortClaim,
  reachOf,
  settleListener,
} from "./port-claims.ts";

const offset = 10_000;
const shared = { spec: { mergeGateways: true }, namespaces: {}, refused: [], warnings: [] };
const alone = { ...shared, spec: {} };

/** What becomes of Gateways that share a place, oldest first, each of listeners in YAML: a line per listener. */
function settle(gateways: readonly string[], { host = false, merged = true } = {}): string[] {
  const settings: Settings = { controllerNames: [], hostInfrastructure: host, privilegedPortOffset: offset };
  const drafts = gateways.map((listeners, index): GatewayDraft => {
    const metadata = { namespace: `n${index}`, name: "gw", creationTimestamp: `2026-01-0${index + 1}T00:00:00Z` };
    const spec = { gatewayClassName: "c", listeners: parse(listeners) };
    return draftOfGateway({ metadata, spec } as unknown as Gateway, settings, merged ? shared : alone);
  });
  const placeOf = ({ fleet, portOffset }: GatewayDraft, { port, protocol }: ListenerPlan) =>
    meetingPlace(fleet, bindPortOf(port, portOffset), transportOf(protocol), host);
  const claims = drafts.flatMap((draft) =>
    [...claimPorts(draft)].map(([listener, claim]) => ({ place: placeOf(draft, listener), claim })),
  );
  return drafts.flatMap((draft) => {
    const claimsAt = (bindPort: number, transport: Transport) =>
      claims
        .filter(({ place }) => place === meetingPlace(draft.fleet, bindPort, transport, host))
        .map(({ claim }) => claim);
    const plan = planGateway(draft, claimsAt);
    // What is of no concern makes no difference.
    const near = planGateway(draft, (bindPort, transport, own) => {
      const all = claimsAt(bindPort, transport);
      const reached = all.filter((claim) => own.some((mine) => reachOf(claim).includes(hostnameOf(mine))));
      return [...firstClaims(all), ...reached];
    });
    expect(near).toEqual(plan);
    return plan.listeners.map(({ name, problems, valid, claimed, routeTable }) => {
      for (const { message } of problems) expect(message).toMatch(explained);
      const said = problems.map(({ condition, reason }) => `${condition}/${reason}`).join(" ");
      return [name, valid ? routeTable : said, ...(claimed ?? [])].join(" ");
    });
  });
}

const lost = (reason: string) => `Conflicted/${reason} Accepted/${reason}`;

test.each<[string, string[], string[]]>([
  [
    "hostnames apart share the port and its table",
    [
      "[{name: x, port: 80, protocol: HTTP, hostname: a.com}]",
      "[{name: y, port: 80, protocol: HTTP, hostname: b.com}]",
    ],
    ["x c/http-80", "y c/http-80"],
  ],
  [
    "of one hostname the older Gateway has it, and only that listener is lost",
    [
      "[{name: x, port: 80, protocol: HTTP, hostname: a.com}]",
      "[{name: y, port: 80, protocol: HTTP, hostname: a.com}, {name: z, port: 80, protocol: HTTP}]",
    ],
    ["x c/http-80", `y ${lost("HostnameConflict")}`, "z c/http-80 a.com"],
  ],
  [
    "the older Gateway decides the protocol, and who has lost is in nobody's way",
    [
      "[{name: x, port: 80, protocol: HTTP, hostname: a.com}]",
      "[{name: y, port: 80, protocol: HTTPS, hostname: b.com, tls: {certificateRefs: [{name: s}]}}]",
      "[{name: z, port: 80, protocol: HTTP, hostname: b.com}]",
    ],
    ["x c/http-80", `y ${lost("ProtocolConflict")}`, "z c/http-80"],
  ],
  [
    "an HTTPS listener keeps a table of its own",
    [
      "[{name: x, port: 443, protocol: HTTPS, hostname: '*.com', tls: {certificateRefs: [{name: s}]}}]",
      "[{name: y, port: 443, protocol: HTTPS, hostname: a.com, tls: {certificateRefs: [{name: s}]}}]",
    ],
    ["x n0/gw/x a.com", "y n1/gw/y"],
  ],
  [
    "a more specific hostname takes its requests away from an older Gateway's wildcard, not from its own",
    [
      "[{name: x, port: 80, protocol: HTTP, hostname: '*.com'}]",
      "[{name: y, port: 80, protocol: HTTP, hostname: '*.a.com'}, {name: z, port: 80, protocol: HTTP, hostname: b.a.com}]",
      "[{name: w, port: 80, protocol: HTTP, hostname: a.org}]",
    ],
    ["x c/http-80 *.a.com b.a.com", "y c/http-80", "z c/http-80", "w c/http-80"],
  ],
  [
    "ports that are one for Envoy",
    ["[{name: x, port: 80, protocol: HTTP}]", "[{name: y, port: 10080, protocol: HTTP, hostname: a.com}]"],
    ["x c/http-80", "y Accepted/PortUnavailable"],
  ],
  [
    "HTTPS and TLS are one family, told apart by hostname; TCP is another",
    [
      "[{name: x, port: 443, protocol: HTTPS, hostname: a.com, tls: {certificateRefs: [{name: s}]}}]",
      "[{name: y, port: 443, protocol: TLS, hostname: a.com, tls: {mode: Passthrough}}, {name: z, port: 443, protocol: TLS, hostname: b.com, tls: {mode: Passthrough}}]",
      "[{name: w, port: 443, protocol: TCP}]",
    ],
    ["x n0/gw/x", `y ${lost("HostnameConflict")}`, "z ", `w ${lost("ProtocolConflict")}`],
  ],
  [
    "a number is a port of TCP and one of UDP, each of the older Gateway",
    [
      "[{name: x, port: 53, protocol: TCP}]",
      "[{name: y, port: 53, protocol: UDP}]",
      "[{name: z, port: 53, protocol: UDP}, {name: w, port: 10053, protocol: TCP}]",
    ],
    ["x ", "y ", `z ${lost("HostnameConflict")}`, "w Accepted/PortUnavailable"],
  ],
  [
    "an invalid listener claims nothing",
    ["[{name: x, port: 80, protocol: example.com/own}]", "[{name: y, port: 80, protocol: HTTP}]"],
    ["x Accepted/UnsupportedProtocol", "y c/http-80"],
  ],
])("Gateways of one fleet: %s", (_name, gateways, expected) => {
  expect(settle(gateways)).toEqual(expected);
  expect(settle(gateways, { host: true })).toEqual(expected);
});

test("Gateways with Envoys of their own meet on a host only, and there on whole ports", () => {
  const gateways = [
    "[{name: x, port: 8080, protocol: HTTP, hostname: a.com}]",
    "[{name: y, port: 8080, protocol: HTTP, hostname: b.com}, {name: z, port: 8081, protocol: HTTP}]",
  ];
  expect(settle(gateways, { merged: false })).toEqual(["x n0/gw/x", "y n1/gw/y", "z n1/gw/z"]);
  expect(settle(gateways, { merged: false, host: true })).toEqual([
    "x n0/gw/x",
    "y Accepted/PortUnavailable",
    "z n1/gw/z",
  ]);
});

test("no Gateway loses a listener to a ListenerSet of another, however old; of ListenerSets the older one has what two want", () => {
  const claim = (gateway: string, listenerSet: string | undefined, created: string, hostname: string): PortClaim => ({
    ...{ gateway, fleet: "c", created, port: 80, protocol: "HTTP", hostname },
    ...(listenerSet !== undefined && { listenerSet }),
  });
  const claims = [
    claim("a/gw", "a/set", "2026-01-01", "own.com"),
    claim("a/gw", "a/set", "2026-01-01", "sets.com"),
    claim("b/gw", undefined, "2026-02-01", "own.com"),
    claim("b/gw", "b/set", "2026-01-02", "sets.com"),
  ];
  const listener = { index: 0, problems: [], valid: true } as unknown as ListenerPlan;
  const verdicts = claims.map((own) => {
    const rivals = findRivals({ key: own.gateway, fleet: "c" }, 80, claims);
    return settleListener(own, listener, rivals).problems.map(({ message }) => message)[0] ?? "has it";
  });
  expect(verdicts).toEqual([
    expect.stringContaining("hostname own.com like Gateway b/gw itself"),
    "has it",
    "has it",
    expect.stringContaining("hostname sets.com like an older ListenerSet of Gateway a/gw"),
  ]);
});

test("no Gateway of a fleet on a host has an address of its own", () => {
  const settings: Settings = { controllerNames: [], hostInfrastructure: true, privilegedPortOffset: 0 };
  const gateway = parse(
    "{metadata: {namespace: a, name: gw}, spec: {gatewayClassName: c, addresses: [{value: 127.0.0.2}], listeners: [{name: x, port: 80, protocol: HTTP}]}}",
  );
  expect(draftOfGateway(gateway, settings, shared).problems).toMatchObject([
    { condition: "Accepted", reason: "UnsupportedAddress", field: "spec.addresses" },
  ]);
  expect(draftOfGateway(gateway, settings, alone).problems).toEqual([]);
  expect(draftOfGateway(gateway, { ...settings, hostInfrastructure: false }, shared).addresses).toEqual(["127.0.0.2"]);
});
