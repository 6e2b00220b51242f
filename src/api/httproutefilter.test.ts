import { describe } from "@jest/globals";
import { filterOf, testRules } from "./objects.test-support.ts";

describe("HTTPRouteFilter rules", () => {
  testRules([
    [
      "regex field",
      filterOf({
        urlRewrite: { path: { type: "ReplaceRegexMatch", replaceRegexMatch: { pattern: "a", substitution: "" } } },
      }),
      filterOf({ urlRewrite: { path: { type: "ReplaceRegexMatch" } } }),
      "urlRewrite.path: type ReplaceRegexMatch needs",
    ],
    [
      "header only for Header",
      filterOf({ urlRewrite: { hostname: { type: "Backend" } } }),
      filterOf({ urlRewrite: { hostname: { type: "Backend", header: "a" } } }),
      "header is only for",
    ],
    [
      "Header has header",
      filterOf({ urlRewrite: { hostname: { type: "Header", header: "a" } } }),
      filterOf({ urlRewrite: { hostname: { type: "Header" } } }),
      "type Header needs",
    ],
    [
      "pathRegex only for PathRegex",
      filterOf({ urlRewrite: { hostname: { type: "PathRegex", pathRegex: { pattern: "a", substitution: "b" } } } }),
      filterOf({ urlRewrite: { hostname: { type: "Backend", pathRegex: { pattern: "a", substitution: "b" } } } }),
      "pathRegex is only for",
    ],
    [
      "PathRegex has pathRegex",
      filterOf({}),
      filterOf({ urlRewrite: { hostname: { type: "PathRegex" } } }),
      "type PathRegex needs",
    ],
    [
      "Inline has inline",
      filterOf({ directResponse: { body: { inline: "a" } } }),
      filterOf({ directResponse: { body: {} } }),
      "type Inline needs",
    ],
    [
      "ValueRef has valueRef",
      filterOf({
        directResponse: { body: { type: "ValueRef", valueRef: { group: "", kind: "ConfigMap", name: "a" } } },
      }),
      filterOf({ directResponse: { body: { type: "ValueRef" } } }),
      "type ValueRef needs",
    ],
    [
      "valueRef is a ConfigMap",
      filterOf({}),
      filterOf({ directResponse: { body: { type: "ValueRef", valueRef: { group: "", kind: "Secret", name: "a" } } } }),
      "valueRef must name a ConfigMap",
    ],
    [
      "body type",
      filterOf({}),
      filterOf({ directResponse: { body: { type: "X", inline: "a" } } }),
      "body.type: must be one of Inline, ValueRef",
    ],
    [
      "nothing to remove",
      filterOf({ directResponse: { header: { set: [{ name: "a", value: "b" }] } } }),
      filterOf({ directResponse: { header: { remove: ["a"] } } }),
      "directResponse.header: a direct response has no",
    ],
    [
      "headers differ",
      filterOf({}),
      filterOf({
        directResponse: {
          header: {
            set: [
              { name: "a", value: "b" },
              { name: "a", value: "c" },
            ],
          },
        },
      }),
      "header.set[1]: has the same name as item 0",
    ],
    [
      "match not empty",
      filterOf({ matches: [{ cookies: [{ name: "a", value: "b" }] }] }),
      filterOf({ matches: [{}] }),
      "spec.matches[0]: must set at least one field",
    ],
  ]);
});
