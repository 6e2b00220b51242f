import { afterAll, expect, test } from "@jest/globals";
import type { HTTPRoute, HTTPRouteRule } from "../../src/api/gateway-api.ts";
import type { HTTPRouteFilter } from "../../src/api/httproutefilter.ts";
import type { AttachedListener } from "../../src/attach/model.ts";
import { type ResolveReader, resolveHttpRoute } from "../../src/attach/resolve-http.ts";
import { translateHttpRoute } from "../../src/translate/http-route.ts";
import type { RouteEntry } from "../../src/translate/route-order.ts";
import { translateRouteTable } from "../../src/translate/route-table.ts";
import { translateVirtualHost } from "../../src/translate/virtual-host.ts";
import { pick, type Random, seededRandom } from "./random-rules.ts";
import { startTableEnvoy, type TableEnvoy } from "./table-envoy.ts";

/**
 * Envoy refuses a whole route table for one bad value in it, so whatever it would refuse must be refused before. Here rules are
 * made of pieces that are likely to be wrong; what passes our own judgement goes to the real Envoy, all in one table.
 * `REFUSALS_SEED` repeats a run, `REFUSALS_RULES` makes it longer.
 */
const seed = Number(process.env["REFUSALS_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const ruleCount = Number(process.env["REFUSALS_RULES"] ?? 1_500);
const host = "www.example.com";
const listener: AttachedListener = { listener: "web", routeTable: "t", port: 8080, scheme: "http", hostnames: [] };

const regexPieces = [
  ..."a b . ^ $ | ( ) (?: [ ] ? * + *? ?? \\ / - é 一 \u0000 { } , ;".split(" "),
  ..."(?i) (?s) (?U) (?P<n> (?<n> (?= (?! (?<= (?>  (?# \\1 \\C \\z \\Z \\A \\b \\B \\Q \\E \\x41 \\x{ff} \\x{100} \\x{10ffff}".split(
    " ",
  ),
  ..."\\101 \\400 \\777 \\8 \\pL \\p{Greek} \\PN \\p{^Greek} \\pX \\d \\W \\S \\K \\R \\h \\e \\u0041".split(" "),
  ..."[a-z] [^a] [z-a] [[:alpha:]] [[:^word:]] [[:x:]] []] [^]a] [a\\] [\\W\\pL] [^\\x{10}-\\x{fe}] [é-ü]".split(" "),
  ..."{2} {1000} {1001} {2,} {2,1} {,3} {0} {10,20} {500} {x}".split(" "),
];
const headerPieces = [
  ..."a % %% %REQ(x)% %REQ(X?Y)% %REQ(X?Y?Z)% %REQ(:path):5% %REQ% %REQ()% %REQ( %REQ(a\\nb)% %RESP(x)% %TRAILER(x)%".split(" "),
  ..."%START_TIME% %START_TIME(%s.%3f)% %START_TIME(%)% %PROTOCOL% %PROTOCOL(x)% %PROTOCOL:2% %UNKNOWN% %request% %:% %(x)%".split(" "),
  ..."%DYNAMIC_METADATA(a:b)% %DYNAMIC_METADATA% %FILTER_STATE(a)% %FILTER_STATE(a:PLAIN)% %FILTER_STATE(a:X)% %METADATA(ROUTE:a)%".split(" "),
  ..."%METADATA(X:a)% %METADATA(a)% %ENVIRONMENT(HOME)% %QUERY_PARAM(q)% %HOSTNAME% %UPSTREAM_METADATA(a)% %CLUSTER_METADATA(a:b)%".split(" "),
  ..."%DOWNSTREAM_PEER_CERT_V_START(%Y)% %DOWNSTREAM_PEER_CERT_V_END% %TRACE_ID% %STREAM_ID% %BYTES_SENT% %DURATION% %PATH(NQ)% %CEL(request)%".split(" "),
  "é", " ", "\t", "\r", "\n", "\u0000", "\u007f", "\"", "x".repeat(5_000),
]; // biome-ignore format: lists to be searched, not read line by line
const pathPieces = "/ a . .. // ? # % %2F %zz \\ é : ; \u0000 \n * ( [ /a/b/".split(" ").concat(" ", "x".repeat(1_000));

const random = seededRandom(seed);
const several = (from: Random, pieces: readonly string[], most: number) =>
  Array.from({ length: 1 + Math.floor(from() * most) }, () => pick(from, pieces)).join("");
const regex = () => several(random, regexPieces, 5);
const headerValue = () => several(random, headerPieces, 3);
const path = () => `${random() < 0.9 ? "/" : ""}${several(random, pathPieces, 3)}`;
const headerName = () =>
  several(random, ["x-a", "Host", ":path", "content-length", "connection", " ", "é", "_", "\n", ""], 2);
const substitution = () => several(random, ["/", "a", "\\0", "\\1", "\\2", "\\", "\\\\", "\\x", "%", "\n"], 3);

type Filters = NonNullable<HTTPRouteRule["filters"]>;

/** Rules around one doubtful text each. */
const makers: readonly (() => { readonly rule: HTTPRouteRule; readonly extension?: HTTPRouteFilter["spec"] })[] = [
  () => ({ rule: { matches: [{ path: { type: "RegularExpression", value: regex() } }] } }),
  () => ({ rule: { matches: [{ path: { type: pick(random, ["Exact", "PathPrefix"]), value: path() } }] } }),
  () => ({ rule: { matches: [{ headers: [{ name: headerName(), type: "RegularExpression", value: regex() }] }] } }),
  () => ({ rule: { matches: [{ headers: [{ name: headerName(), value: headerValue() }] }] } }),
  () => ({ rule: { matches: [{ queryParams: [{ name: headerName(), type: "RegularExpression", value: regex() }] }] } }),
  () =>
    withFilters({
      type: "RequestHeaderModifier",
      requestHeaderModifier: { set: [{ name: headerName(), value: headerValue() }], remove: [headerName()] },
    }),
  () =>
    withFilters({
      type: "ResponseHeaderModifier",
      responseHeaderModifier: { add: [{ name: headerName(), value: headerValue() }] },
    }),
  () =>
    withFilters({
      type: "RequestRedirect",
      requestRedirect: { path: { type: "ReplaceFullPath", replaceFullPath: path() } },
    }),
  () =>
    withFilters({
      type: "URLRewrite",
      urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: path() } },
    }),
  () => withFilters({ type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath", replaceFullPath: path() } } }),
  () => ({
    rule: {},
    extension: { matches: [{ cookies: [{ name: headerName(), type: "RegularExpression", value: regex() }] }] },
  }),
  () => ({ rule: {}, extension: { matches: [{ cookies: [{ name: headerValue(), value: headerValue() }] }] } }),
  () => ({
    rule: {},
    extension: {
      urlRewrite: {
        path: { type: "ReplaceRegexMatch", replaceRegexMatch: { pattern: regex(), substitution: substitution() } },
        hostname: { type: "PathRegex", pathRegex: { pattern: regex(), substitution: substitution() } },
      },
    },
  }),
  () => ({ rule: {}, extension: { urlRewrite: { hostname: { type: "Header", header: headerName() } } } }),
  () => ({
    rule: {},
    extension: {
      directResponse: {
        statusCode: pick(random, [0, 100, 200, 204, 404, 599, 600]),
        contentType: headerValue(),
        header: { set: [{ name: headerName(), value: headerValue() }] },
        ...(random() < 0.5 && { body: { type: "Inline", inline: headerValue() } }),
      },
    },
  }),
];

function withFilters(...filters: Filters): { readonly rule: HTTPRouteRule } {
  return { rule: { matches: [{ path: { type: "PathPrefix", value: "/" } }], filters } };
}

interface Judged {
  readonly entries: readonly RouteEntry[];
  readonly refused: boolean;
}

/** A route of one rule, judged and translated as the pipeline does. */
function judge(index: number): Judged {
  const { rule, extension } = pick(random, makers)();
  const extensionRef = { group: "gateway.envoyproxy.io", kind: "HTTPRouteFilter", name: "filter" };
  const filters: Filters = extension === undefined ? (rule.filters ?? []) : [{ type: "ExtensionRef", extensionRef }];
  const route: HTTPRoute = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: `r${index}`, namespace: "default" },
    spec: { rules: [{ ...rule, filters, backendRefs: [{ name: "echo", port: 80 }] }] },
  };
  const read: ResolveReader = {
    ...nothing,
    service: () => ({ apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port: 80 }] } }),
    routeFilter: () => ({ apiVersion: "v1alpha1", kind: "HTTPRouteFilter", metadata, spec: extension ?? {} }),
  };
  const resolved = resolveHttpRoute(route, read);
  const entries = translateHttpRoute(route, resolved, listener, { host, routeHostname: host });
  return { entries, refused: resolved.problems.length > 0 };
}

const metadata = { name: "a", namespace: "default" };
const nothing = {
  backend: () => undefined,
  staticBackend: () => undefined,
  secret: () => undefined,
  configMap: () => undefined,
  tlsClaims: () => undefined,
  tlsPolicy: () => undefined,
  grants: () => [],
  settings: { controllerNames: [], hostInfrastructure: true, privilegedPortOffset: 0 },
};

let envoy: TableEnvoy | undefined;
afterAll(() => envoy?.stop());

test(`Envoy takes all that is not refused before (REFUSALS_SEED=${seed})`, async () => {
  const judged = Array.from({ length: ruleCount }, (_, index) => judge(index));
  const refused = judged.filter((one) => one.refused).length;
  // With nothing refused, or everything, this would prove nothing.
  expect(refused).toBeGreaterThan(ruleCount / 10);
  expect(refused).toBeLessThan((ruleCount * 9) / 10);
  const table = translateRouteTable(
    "t",
    [
      translateVirtualHost(
        "t",
        host,
        judged.map((one) => one.entries),
      ),
    ],
    [],
  );
  envoy = await startTableEnvoy([{ table, normalizes: true }]);
  // A table that was refused would leave every request without a route, and this one fails the start.
  expect((await envoy.ask(0, { path: "/", host: "nobody.example.com" })).status).toBe(404);
}, 60_000);
