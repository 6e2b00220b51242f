import { choice, flag, integer, list, object, type Rule, required, text } from "./schema.ts";

const MAX_UINT32 = 4_294_967_295;

const headerMatch = object("A header.", {
  type: choice("Distinct counts each value by itself.", ["Exact", "RegularExpression", "Distinct"], {
    default: "Exact",
  }),
  name: required(text("Name of the header.", { minLength: 1, maxLength: 256 })),
  value: text("Value, or RE2 expression that must match all of it; none for Distinct.", { maxLength: 1024 }),
  invert: flag("Requests that do not match.", { default: false }),
});

const queryParamMatch = object("A query parameter.", {
  type: choice("Distinct counts each value by itself.", ["Exact", "RegularExpression", "Distinct"], {
    default: "Exact",
  }),
  name: required(text("Name of the parameter.", { minLength: 1, maxLength: 256 })),
  value: text("Value, or RE2 expression that must match all of it; none for Distinct.", { maxLength: 1024 }),
  invert: flag("Requests that do not match.", { default: false }),
});

const clientSelector = object(
  "Requests that match all that is given.",
  {
    headers: list("Headers, all of which must match.", headerMatch, { maxItems: 128 }),
    methods: list(
      "Methods, one of which it must be.",
      object("A method.", {
        value: required(
          choice("The method.", ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]),
        ),
        invert: flag("Requests that do not match.", { default: false }),
      }),
    ),
    path: object("The path.", {
      type: choice("How to compare.", ["Exact", "PathPrefix", "RegularExpression"], { default: "PathPrefix" }),
      value: required(text("What to compare with.", { maxLength: 1024, default: "/" })),
      invert: flag("Requests that do not match.", { default: false }),
    }),
    sourceCIDR: object("The client's address.", {
      type: choice("Distinct counts each address by itself.", ["Exact", "Distinct"], { default: "Exact" }),
      value: text("Range of addresses. Shorthand: every address when left out.", { minLength: 1, maxLength: 256 }),
      invert: flag("Requests that do not match.", { default: false }),
    }),
    queryParams: list("Query parameters, all of which must match.", queryParamMatch, { maxItems: 16 }),
  },
  {
    rules: [
      {
        rule: "has(self.headers) || has(self.methods) || has(self.path) || has(self.sourceCIDR) || has(self.queryParams)",
        message: "set one of headers, methods, path, sourceCIDR and queryParams",
      },
    ],
  },
);

function cost(description: string) {
  return object(
    description,
    {
      from: required(choice("Where the figure comes from.", ["Number", "Metadata"])),
      number: integer("The figure; for Number.", { format: "int64" }),
      metadata: object("Dynamic metadata that holds the figure; for Metadata.", {
        namespace: required(text("Namespace of the metadata.")),
        key: required(text("Key of the figure.")),
      }),
    },
    {
      rules: [
        { rule: "!(has(self.number) && has(self.metadata))", message: "number and metadata exclude one another" },
      ],
    },
  );
}

const rule = object("A limit and the requests that it counts.", {
  clientSelectors: list(
    "Requests that count; those that match one of the selectors, or all when left out.",
    clientSelector,
    {
      maxItems: 8,
    },
  ),
  limit: required(
    object("The limit.", {
      requests: required(
        integer("Requests in each unit of time.", { format: "int64", minimum: 0, maximum: MAX_UINT32 }),
      ),
      unit: required(choice("Unit of time.", ["Second", "Minute", "Hour", "Day", "Week", "Month", "Year"])),
      fromMetadata: object("Dynamic metadata that holds a limit for the request, which wins over the one here.", {
        namespace: required(text("Namespace of the metadata.", { minLength: 1 })),
        key: required(text("Key of the limit.", { minLength: 1 })),
      }),
    }),
  ),
  cost: object("What a request counts; 1 when left out.", {
    request: cost("Cost when the request arrives."),
    response: cost("Cost when the answer has been given; it applies to later requests."),
  }),
  shared: flag("One limit for all routes of the policy."),
  shadowMode: flag("Count, but let requests pass."),
  xRateLimitHeaders: choice("Whether answers tell of this limit by x-ratelimit headers.", ["Off", "DraftVersion03"]),
});

const localRules: readonly Rule[] = [
  {
    rule: "self.all(r, !has(r.cost) || !has(r.cost.response))",
    message: "cost.response is for global limits only",
  },
  {
    rule: "self.all(r, !has(r.limit.fromMetadata))",
    message: "limit.fromMetadata is for global limits only",
  },
];

export const rateLimit = object("How many requests are let through.", {
  type: choice("Not needed any more: global and local can be given together.", ["Global", "Local"]),
  global: object("Limits of all Envoys together.", {
    rules: required(list("The limits. Each counts by itself.", rule, { maxItems: 256 })),
  }),
  local: object("Limits of each Envoy by itself.", {
    rules: list("The limits. The first that matches counts; the one without clientSelectors is for all others.", rule, {
      maxItems: 16,
      rules: localRules,
    }),
  }),
});
