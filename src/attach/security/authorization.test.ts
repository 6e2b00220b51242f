import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "@jest/globals";
import { problemAt } from "../../base/problems.ts";
import { explained, readObjects } from "../objects.test-support.ts";
import { planWritten } from "./plan.test-support.ts";
import { mergeSecurity } from "./plan.ts";

type Content = Record<string, unknown>;

const objects = readObjects("");

function planOf(spec: Content, kind = "HTTPRoute") {
  return planWritten(spec, objects, { kind });
}

const { publicKey } = generateKeyPairSync("ed25519");
const inline = JSON.stringify({ keys: [publicKey.export({ format: "jwk" })] });
const jwt = { providers: [{ name: "p", localJWKS: { type: "Inline", inline } }] };
const allow = (rule: Content) => ({ jwt, authorization: { rules: [{ action: "Allow", ...rule }] } });
const from = (...clientCIDRs: string[]) => ({ principal: { clientCIDRs } });
const claim = (name: string, more: Content = {}) =>
  allow({ principal: { jwt: { provider: "p", claims: [{ name, values: ["v"], ...more }] } } });
const path = (value: string, type?: string) =>
  allow({ ...from("::/0"), operation: { path: { value, ...(type && { type }) } } });
const headers = (name: string, values: string[]) => allow({ principal: { headers: [{ name, values }] } });

test.each<[Content, string]>([
  [allow(from("10.0.0.0/8", "10.0.0.0/33")), 'principal.clientCIDRs[1] is "10.0.0.0/33", which is no range'],
  [allow({ principal: { clientIPGeoLocations: [{ asn: 1 }] } }), "principal.clientIPGeoLocations needs a database"],
  [allow({ cel: "a ==" }), "cel is no expression of CEL"],
  [allow({ cel: "a.all(b, b)" }), "cel calls all(),"],
  [allow({ cel: ".a" }), "cel begins a name"],
  [allow({ cel: "a.?b" }), "cel "],
  [allow({ cel: Array(60).fill("a").join(" && ") }), "cel is nested deeper than 40 levels;"],
  [allow({ cel: "a == 1u" }), "cel holds a number or bytes"],
  [allow({ cel: "a == 9223372036854775807" }), "cel holds a number or bytes"],
  [headers("a b", ["c"]), "principal.headers[0].name is"],
  [headers("a", ["b", "c\n"]), "principal.headers[0].values[1] holds a line break"],
  [headers("a", ["x".repeat(1025)]), "principal.headers[0].values[0] has more than 1024 characters;"],
  [allow({ principal: { jwt: { provider: "q", scopes: ["s"] } } }), "principal.jwt.provider is q,"],
  [claim("a..b"), "principal.jwt.claims[0].name has nothing before"],
  [claim("scope"), "principal.jwt.claims[0].name is scope,"],
  [claim("a", { values: ["x".repeat(1025)] }), "principal.jwt.claims[0].values[0] has more than 1024 characters;"],
  [path("a"), "operation.path.value is no path;"],
  [path("/a?b"), "operation.path.value is no path;"],
  [path("/a\n"), "operation.path.value is no path;"],
  [path("/\ud800"), "operation.path.value holds half a character;"],
  [path("(", "RegularExpression"), "operation.path.value is no regular expression"],
])("%j is refused, and the status says so", (spec, start) => {
  const plan = planOf(spec);
  expect(plan.security).toEqual({ refused: true, connectionsRefused: true });
  const [message = ""] = plan.refused.map(({ field, text }) => problemAt("Accepted", "Invalid", field, text).message);
  const said = message.replace("spec.authorization.rules[].", "spec.authorization.rules[0].");
  const begin = `Field spec.authorization.rules[0].${start}`;
  expect(said.startsWith(begin) ? begin : said).toBe(begin);
  expect(message).toMatch(explained);
});

test.each([
  [Array.from({ length: 257 }, () => ({ action: "Allow", ...from("::/0") })), "lists more than 256 rules; use fewer"],
  [
    [{ action: "Allow", ...from(...Array<string>(4097).fill("::/0")) }],
    "list more than 4096 ranges and values; use fewer",
  ],
])("what is too much is refused", (rules, text) => {
  expect(planOf({ authorization: { rules } }).refused).toEqual([{ field: "spec.authorization.rules", text }]);
});

test("what is served means what it says", () => {
  const rules = [
    { action: "Deny", name: "n", ...from("10.1.2.3/8") },
    { action: "Allow", principal: { jwt: { provider: "p", scopes: ["s"], claims: [{ name: "a.b", values: ["v"] }] } } },
  ];
  const { model, ...ofConnections } = planOf({ jwt, authorization: { defaultAction: "Allow", rules } }).security;
  expect(model?.authorization).toEqual({
    allowsOthers: true,
    rules: [
      { name: "n", allows: false, addresses: [{ family: "IPv4", network: "10.0.0.0", prefix: 8 }] },
      {
        name: "rule-1",
        allows: true,
        claims: [
          { provider: "p", path: ["a", "b"], isList: false, values: ["v"] },
          { provider: "p", path: ["scope"], isList: true, values: ["s"] },
        ],
      },
    ],
  });
  // Which token it comes with a connection does not show.
  expect(ofConnections).toEqual({ connectionsRefused: true });
});

test("connections show addresses alone", () => {
  const addresses = { authorization: { rules: [{ action: "Allow", ...from("::/0") }] } };
  expect(planOf(addresses, "TCPRoute").security.connections).toMatchObject({ rules: [{ allows: true }] });
  expect(planOf({ authorization: {} }, "TCPRoute").security.connections).toEqual({ rules: [], allowsOthers: false });
  const { authorization } = path("/a");
  expect(planOf({ authorization }, "TCPRoute").refused.map(({ field }) => field)).toEqual([
    "spec.authorization.rules[0].operation",
  ]);
});

test("rules name the providers that there are after a merge", () => {
  const child = planOf({ jwt: { providers: [{ ...jwt.providers[0], name: "q" }] } });
  const parent = planOf(claim("a"));
  expect(mergeSecurity(child, parent, "StrategicMerge").refused.map(({ field }) => field)).toEqual([
    "spec.authorization.rules[0].principal.jwt.provider",
  ]);
  expect(mergeSecurity(planOf({ csrf: {} }), parent, "StrategicMerge").refused).toEqual([]);
});
