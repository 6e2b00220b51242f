import { expect, test } from "@jest/globals";
import type { HTTPRoute } from "../api/gateway-api.ts";
import type { GatewayPlan, PortPlan } from "../attach/model.ts";
import type { GatewayReport } from "../pipeline/listener-reports.ts";
import type { RouteReport } from "../pipeline/status-reports.ts";
import { reachableAddress } from "./reachable-address.ts";
import { suggestRequests } from "./request-hints.ts";

type Match = NonNullable<NonNullable<HTTPRoute["spec"]["rules"]>[number]["matches"]>[number];

function hintsFor(protocol: "HTTP" | "HTTPS", host: string, match: Match | undefined, bindAddress?: string) {
  const port = {
    port: 80,
    bindPort: 8080,
    protocol,
    name: "ns/g/l",
    listeners: [{ name: "l" }],
  } as unknown as PortPlan;
  const plan = { key: "ns/g", ports: [port], ...(bindAddress && { bindAddress }) } as unknown as GatewayPlan;
  const scheme = protocol.toLowerCase();
  const listener = { listener: "l", scheme, hostnames: [{ host, routeHostname: host }] };
  const progress = { l: { state: "Accepted" } };
  const gateway = { kind: "Gateway", plan, progress } as unknown as GatewayReport;
  const route = {
    kind: "HTTPRoute",
    object: { spec: { rules: [match === undefined ? {} : { matches: [match] }] } },
    attachment: { key: "ns/r", parents: [{ gateway: "ns/g", listeners: [listener] }] },
    resolved: { problems: [] },
    extra: [],
  } as unknown as RouteReport;
  return suggestRequests([gateway, route])[0];
}

test.each<[string, ReturnType<typeof hintsFor>, string | undefined]>([
  ["any host", hintsFor("HTTP", "*", undefined), "curl -i http://127.0.0.1:8080/"],
  [
    "a named host and path",
    hintsFor("HTTP", "a.example", { path: { type: "PathPrefix", value: "/x" } }),
    "curl -i -H 'Host: a.example' http://127.0.0.1:8080/x",
  ],
  [
    "a wildcard over TLS",
    hintsFor("HTTPS", "*.example", undefined),
    "curl -i --resolve www.example:8080:127.0.0.1 --insecure https://www.example:8080/",
  ],
  [
    "what else the match wants",
    hintsFor("HTTP", "*", {
      method: "POST",
      headers: [{ name: "x-a", value: "it's" }],
      queryParams: [{ name: "q", value: "1 2" }],
    }),
    "curl -i -X POST -H 'x-a: it'\\''s' 'http://127.0.0.1:8080/?q=1+2'",
  ],
  [
    "nothing for a regular expression",
    hintsFor("HTTP", "*", { path: { type: "RegularExpression", value: "/x+" } }),
    undefined,
  ],
  ["an IPv6 address", hintsFor("HTTP", "*", undefined, "fd00::1"), "curl -i 'http://[fd00::1]:8080/'"],
])("suggests %s", (_title, hint, curl) => {
  expect(hint?.curls).toEqual(curl === undefined ? [] : [curl]);
});

test("names the ports that are open, and those that were moved", () => {
  expect(hintsFor("HTTPS", "*", undefined)).toMatchObject({
    gateway: "ns/g",
    urls: ["https://127.0.0.1:8080"],
    moved: [{ port: 80, bindPort: 8080 }],
  });
});

test("suggests nothing on a port that Envoy has not opened", () => {
  const port = { port: 80, bindPort: 80, protocol: "HTTP", name: "ns/g/l", listeners: [{ name: "l" }] };
  const gateway = { kind: "Gateway", plan: { key: "ns/g", ports: [port] }, progress: {} };
  expect(suggestRequests([gateway as unknown as GatewayReport])).toMatchObject([{ urls: [], curls: [] }]);
});

test.each([
  [undefined, "127.0.0.1"],
  ["0.0.0.0", "127.0.0.1"],
  ["::", "::1"],
  ["0:0::0", "::1"],
  ["fd00::1", "fd00::1"],
])("what is bound to %s is reached at %s", (bound, reached) => {
  expect(reachableAddress(bound)).toBe(reached);
});
