import { describe } from "@jest/globals";
import { type Content, grpcRoute, httpRoute, testRules, withFilter, withPath } from "./objects.test-support.ts";

const prefixRewrite = {
  type: "URLRewrite",
  urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } },
};
const redirect = { type: "RequestRedirect", requestRedirect: { hostname: "a.example.com" } };
const cors = (settings: Content) => withFilter({ type: "CORS", cors: settings });
const mirror = (settings: Content) =>
  withFilter({ type: "RequestMirror", requestMirror: { backendRef: { name: "s", port: 80 }, ...settings } });

/** Rules with so many matches each. */
function rulesWith(...counts: number[]): Content[] {
  return counts.map((count) => ({ matches: Array.from({ length: count }, () => ({ method: "GET" })) }));
}

describe("route rules", () => {
  testRules([
    [
      "parents differ",
      httpRoute(
        {},
        {
          parentRefs: [
            { name: "g", port: 1 },
            { name: "g", port: 2 },
          ],
        },
      ),
      httpRoute({}, { parentRefs: [{ name: "g" }, { name: "g" }] }),
      "spec.parentRefs[1]: names the same parent",
    ],
    [
      "parents all in part",
      httpRoute({}, { parentRefs: [{ name: "g", sectionName: "a" }] }),
      httpRoute({}, { parentRefs: [{ name: "g" }, { name: "g", sectionName: "a" }] }),
      "spec.parentRefs[0]: needs a sectionName",
    ],
    [
      "rule names differ",
      httpRoute({}, { rules: [{ name: "a" }, { name: "b" }] }),
      httpRoute({}, { rules: [{ name: "a" }, { name: "a" }] }),
      "spec.rules[1]: has the name of rule 0",
    ],
    [
      "128 matches",
      httpRoute({}, { rules: rulesWith(64, 64) }),
      httpRoute({}, { rules: rulesWith(64, 64, 1) }),
      "spec.rules: must not have more than 128",
    ],
    [
      "path starts with /",
      withPath("PathPrefix", "/a"),
      withPath("PathPrefix", "a"),
      "spec.rules[0].matches[0].path.value: must start with /",
    ],
    ["path characters", withPath("Exact", "/%20"), withPath("Exact", "/a b"), "path.value: has characters"],
    ["path without //", withPath("RegularExpression", "a//"), withPath("Exact", "/a//b"), "must not contain //"],
    ["path without dots", withPath("Exact", "/a..b"), withPath("Exact", "/a/.."), "must not end with /.."],
    [
      "headers once",
      httpRoute({ matches: [{ headers: [{ name: "a", value: "b" }] }] }),
      httpRoute({
        matches: [
          {
            headers: [
              { name: "a", value: "b" },
              { name: "a", value: "c" },
            ],
          },
        ],
      }),
      "headers[1]: is about the same header",
    ],
    [
      "parameters once",
      httpRoute({ matches: [{ queryParams: [{ name: "a", value: "b" }] }] }),
      httpRoute({
        matches: [
          {
            queryParams: [
              { name: "a", value: "b" },
              { name: "a", value: "c" },
            ],
          },
        ],
      }),
      "queryParams[1]: is about the same parameter",
    ],
    [
      "Service has a port",
      httpRoute({ backendRefs: [{ name: "s", port: 80 }] }),
      httpRoute({ backendRefs: [{ name: "s" }] }),
      "spec.rules[0].backendRefs[0].port: is required",
    ],
    [
      "redirect without backends",
      httpRoute({ filters: [redirect] }),
      httpRoute({ filters: [redirect], backendRefs: [{ name: "s", port: 80 }] }),
      "backendRefs: must be empty",
    ],
    [
      "redirect or rewrite",
      withFilter(redirect),
      withFilter(redirect, { type: "URLRewrite", urlRewrite: { hostname: "a.b" } }),
      "filters: must not have both",
    ],
    [
      "filter types, those of the experimental channel included",
      withFilter({
        type: "ExternalAuth",
        externalAuth: { protocol: "GRPC", backendRef: { name: "a", port: 1 }, grpc: { allowedHeaders: ["a"] } },
      }),
      withFilter({ type: "Magic" }),
      "filters[0].type: must be one of",
    ],
    [
      "filter types once",
      withFilter(redirect),
      withFilter(redirect, redirect),
      "filters[1]: is of the same type as filter 0",
    ],
    [
      "filter has its field",
      withFilter(redirect),
      withFilter({ type: "URLRewrite" }),
      "filters[0].urlRewrite: is required with type URLRewrite",
    ],
    [
      "filter has no other field",
      withFilter(redirect),
      withFilter({ ...redirect, urlRewrite: {} }),
      "filters[0].urlRewrite: does not belong",
    ],
    [
      "filter sets a header once",
      withFilter({ type: "RequestHeaderModifier", requestHeaderModifier: { set: [{ name: "a", value: "1" }] } }),
      withFilter({
        type: "RequestHeaderModifier",
        requestHeaderModifier: {
          set: [
            { name: "a", value: "1" },
            { name: "a", value: "2" },
          ],
        },
      }),
      "requestHeaderModifier.set[1]: sets the same header",
    ],
    [
      "modifier has its field",
      httpRoute({ filters: [prefixRewrite] }),
      withFilter({ type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath" } } }),
      "urlRewrite.path.replaceFullPath: is required",
    ],
    [
      "prefix replaced in one match",
      httpRoute({ filters: [prefixRewrite] }),
      httpRoute({ matches: [{ path: { type: "Exact", value: "/a" } }], filters: [prefixRewrite] }),
      "ReplacePrefixMatch needs a rule",
    ],
    [
      "mirror percent or fraction",
      mirror({ percent: 5 }),
      mirror({ percent: 5, fraction: { numerator: 1 } }),
      "fraction: cannot stand beside percent",
    ],
    [
      "fraction at most one",
      mirror({ fraction: { numerator: 1 } }),
      mirror({ fraction: { numerator: 2, denominator: 1 } }),
      "numerator: must not be above",
    ],
    [
      "CORS * alone",
      cors({ allowMethods: ["*"] }),
      cors({ allowMethods: ["*", "GET"] }),
      "cors.allowMethods: must not have other entries",
    ],
    [
      "timeouts",
      httpRoute({ timeouts: { request: "1s", backendRequest: "1000ms" } }),
      httpRoute({ timeouts: { request: "1s", backendRequest: "1s1ms" } }),
      "timeouts.backendRequest: must not be longer",
    ],
    [
      "permanent cookie",
      httpRoute({ sessionPersistence: { absoluteTimeout: "1h", cookieConfig: { lifetimeType: "Permanent" } } }),
      httpRoute({ sessionPersistence: { cookieConfig: { lifetimeType: "Permanent" } } }),
      "absoluteTimeout: is required",
    ],
    [
      "gRPC method or service",
      grpcRoute({ matches: [{ method: { service: "a.B" } }] }),
      grpcRoute({ matches: [{ method: {} }] }),
      "spec.rules[0].matches[0].method: must set",
    ],
    [
      "gRPC service name",
      grpcRoute({ matches: [{ method: { service: ".my_api.v1_2.Some_Service" } }] }),
      grpcRoute({ matches: [{ method: { service: "a/B" } }] }),
      "method.service: must",
    ],
    [
      "gRPC method name",
      grpcRoute({ matches: [{ method: { method: "Get_1" } }] }),
      grpcRoute({ matches: [{ method: { method: "Get-1" } }] }),
      "method.method: must",
    ],
    [
      "gRPC filter",
      grpcRoute({}),
      grpcRoute({ filters: [{ type: "RequestMirror" }] }),
      "filters[0].requestMirror: is required",
    ],
  ]);
});
