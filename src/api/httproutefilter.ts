import { choice, defineKind, flag, integer, list, type ObjectOf, object, required, text } from "./schema.ts";
import { responseBody, responseHeaders, secretReference } from "./shared-schemas.ts";

const pathRewrite = object(
  "How to rewrite the path.",
  {
    type: required(choice("The way of rewriting.", ["ReplaceRegexMatch"])),
    replaceRegexMatch: object("Replace what a regular expression matches in the path.", {
      pattern: required(text("RE2 expression; every match in the path is replaced.", { minLength: 1 })),
      substitution: required(text("Replacement; \\1, \\2 … stand for the groups of the expression.")),
    }),
  },
  {
    rules: [
      {
        rule: "(self.type == 'ReplaceRegexMatch') == has(self.replaceRegexMatch)",
        message: "type ReplaceRegexMatch needs the field replaceRegexMatch",
      },
    ],
  },
);

const hostRewrite = object(
  "How to rewrite the host.",
  {
    type: required(
      choice("Header: from a request header. Backend: host name of the chosen endpoint. PathRegex: from the path.", [
        "Header",
        "Backend",
        "PathRegex",
      ]),
    ),
    header: text("Name of the request header whose value becomes the host; for type Header."),
    pathRegex: object("Makes the host out of the path; for type PathRegex.", {
      pattern: required(text("RE2 expression applied to the path without its query.", { minLength: 1 })),
      substitution: required(
        text("The host; \\1, \\2 … stand for the groups of the expression.", {
          minLength: 1,
          pattern: "^[^\\r\\n\\x00]*$",
        }),
      ),
    }),
  },
  {
    rules: [
      { rule: "self.type == 'Header' || !has(self.header)", message: "header is only for type Header" },
      { rule: "self.type != 'Header' || has(self.header)", message: "type Header needs the field header" },
      { rule: "self.type == 'PathRegex' || !has(self.pathRegex)", message: "pathRegex is only for type PathRegex" },
      { rule: "self.type != 'PathRegex' || has(self.pathRegex)", message: "type PathRegex needs the field pathRegex" },
    ],
  },
);

const directResponse = object("Answer the request without any backend.", {
  statusCode: integer("HTTP status of the answer; 200 when left out."),
  contentType: text("Content-Type of the answer; text/plain when there is a body and nothing is given."),
  body: responseBody,
  header: responseHeaders,
});

const matches = list(
  "Further conditions on requests: the rule applies when one of them holds. All rules of a route that refer to the filter get them.",
  object(
    "Holds when all parts hold.",
    {
      cookies: list(
        "Cookies that the request must carry, all of them.",
        object("A cookie and the value expected.", {
          name: required(text("Name of the cookie.", { minLength: 1, maxLength: 256 })),
          value: required(
            text("Expected value, or an RE2 expression that must match all of it.", { minLength: 1, maxLength: 4096 }),
          ),
          type: choice("How to compare.", ["Exact", "RegularExpression"], { default: "Exact" }),
        }),
        { minItems: 1, maxItems: 16 },
      ),
    },
    { minProperties: 1 },
  ),
  { maxItems: 8 },
);

const spec = object("What the filter does; each field is a feature of its own.", {
  urlRewrite: object("Rewrite path and host in ways that the standard URLRewrite filter has not.", {
    path: pathRewrite,
    hostname: hostRewrite,
    appendXForwardedHost: flag(
      "Keep the host as it came in x-forwarded-host when it is rewritten; true when left out.",
    ),
  }),
  directResponse,
  credentialInjection: object("Add a credential to requests on their way to the backend.", {
    credential: required(
      object("The credential.", {
        valueRef: required(secretReference("Secret with the header's value under the key credential.")),
      }),
    ),
    header: text("Name of the header; Authorization when left out."),
    overwrite: flag("Replace a value that the request brings; otherwise such a request passes unchanged."),
  }),
  matches,
});

export const httpRouteFilterDefinition = defineKind({
  group: "gateway.envoyproxy.io",
  version: "v1alpha1",
  kind: "HTTPRouteFilter",
  plural: "httproutefilters",
  shortNames: ["hrf"],
  categories: ["envoy-gateway"],
  description: "A filter for the ExtensionRef of HTTPRoute rules and backends.",
  printerColumns: [
    { name: "Answers", type: "integer", jsonPath: ".spec.directResponse.statusCode" },
    { name: "Rewrites path", type: "string", jsonPath: ".spec.urlRewrite.path.type" },
    { name: "Rewrites host", type: "string", jsonPath: ".spec.urlRewrite.hostname.type" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  spec,
});

/** Filter that HTTPRoutes refer to by ExtensionRef, group `gateway.envoyproxy.io`. */
export type HTTPRouteFilter = ObjectOf<typeof httpRouteFilterDefinition>;
