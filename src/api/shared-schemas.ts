import { choice, flag, integer, list, map, object, type Rule, required, text } from "./schema.ts";

/** Pieces that several of our kinds have in common. Each takes the description of the place where it stands. */

export const dnsLabels = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

/** A lower-case DNS name of at most 253 characters. */
export function dnsName(description: string, options: { readonly trailingDot?: boolean } = {}) {
  const pattern = `^${dnsLabels}${options.trailingDot ? "\\.?" : ""}$`;
  return text(description, { minLength: 1, maxLength: 253, pattern });
}

export function port(description: string) {
  return integer(description, { format: "int32", minimum: 0, maximum: 65535 });
}

export function group(description: string, options: { readonly default?: string } = {}) {
  return text(description, { maxLength: 253, pattern: `^$|^${dnsLabels}$`, ...options });
}

export function kind(description: string, options: { readonly default?: string } = {}) {
  const pattern = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";
  return text(description, { minLength: 1, maxLength: 63, pattern, ...options });
}

export function objectName(description: string) {
  return text(description, { minLength: 1, maxLength: 253 });
}

const NAMESPACE = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

function namespace(description: string) {
  return text(description, { minLength: 1, maxLength: 63, pattern: NAMESPACE });
}

/** A Gateway API duration, such as `1h30m` or `250ms`. */
export function duration(
  description: string,
  options: { readonly default?: string; readonly rules?: readonly Rule[] } = {},
) {
  return text(description, { pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$", ...options });
}

export function percent(description: string) {
  return integer(description, { format: "int32", minimum: 0, maximum: 100 });
}

/** Part of all requests, written as a fraction. */
export function fraction(description: string) {
  return object(
    description,
    {
      numerator: required(integer("Upper number of the fraction.", { format: "int32", minimum: 0 })),
      denominator: integer("Lower number of the fraction.", { format: "int32", minimum: 1, default: 100 }),
    },
    { rules: [{ rule: "self.numerator <= self.denominator", message: "numerator must not be above denominator" }] },
  );
}

/** Refers to an object of the same namespace. */
export function localReference(description: string) {
  return object(description, {
    group: required(group("API group of the object; empty for the core group.")),
    kind: required(kind("Kind of the object.")),
    name: required(objectName("Name of the object.")),
  });
}

/** Refers to a Secret, in another namespace only if a ReferenceGrant there allows it. */
export function secretReference(description: string) {
  return object(description, {
    group: group("API group of the object; empty for the core group.", { default: "" }),
    kind: kind("Kind of the object.", { default: "Secret" }),
    name: required(objectName("Name of the object.")),
    namespace: namespace("Namespace of the object; that of the referring object when left out."),
  });
}

/** Port of an endpoint or Service; unlike {@link port} it cannot be 0. */
export function servicePort(description: string) {
  return integer(description, { format: "int32", minimum: 1, maximum: 65535 });
}

const backendReferenceFields = {
  group: group("API group of the backend; empty for a Service.", { default: "" }),
  kind: kind("Kind of the backend.", { default: "Service" }),
  name: required(objectName("Name of the backend.")),
  namespace: namespace(
    "Namespace of the backend; that of the referring object when left out. Others need a ReferenceGrant.",
  ),
  port: servicePort("Port of the Service."),
};

const servicesNeedPort: Rule = {
  rule: "!(size(self.group) == 0 && self.kind == 'Service') || has(self.port)",
  message: "a Service needs a port",
};

/**
 * Fields for the servers that Envoy itself calls: collectors of logs, traces and metrics, and external services. Rules that hold
 * for them: {@link backendRefRules}.
 */
export const backendRefFields = {
  backendRef: object("Not used any more: write backendRefs.", backendReferenceFields, { rules: [servicesNeedPort] }),
  backendRefs: list(
    "Services or Backends to send to.",
    object(
      "A Service or Backend.",
      {
        ...backendReferenceFields,
        weight: integer("Share of the requests, relative to the other backends.", {
          format: "int32",
          minimum: 0,
          maximum: 1_000_000,
          default: 1,
        }),
        fallback: flag("Send to it only while the others cannot be reached."),
      },
      { rules: [servicesNeedPort] },
    ),
    { maxItems: 16 },
  ),
};

export const backendRefRules: readonly Rule[] = [
  { rule: "!has(self.backendRef)", message: "backendRef is not used any more: write backendRefs" },
  {
    rule: "!has(self.backendRefs) || self.backendRefs.all(b, b.kind == 'Service' || b.kind == 'Backend')",
    message: "backendRefs may name Services and Backends only",
  },
  {
    rule: "!has(self.backendRefs) || self.backendRefs.all(b, b.group == '' || b.group == 'gateway.envoyproxy.io')",
    message: "backendRefs may name the core group and gateway.envoyproxy.io only",
  },
];

/** What HTTP takes as the name of a header, at most. */
export const headerName = "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$";

/** A request header to send. */
export function header(description: string) {
  return object(description, {
    name: required(
      text("Name of the header; case does not matter.", { minLength: 1, maxLength: 256, pattern: headerName }),
    ),
    value: required(text("Value of the header.", { minLength: 1, maxLength: 4096 })),
  });
}

export function headers(description: string, options: { readonly minItems?: number; readonly maxItems?: number } = {}) {
  return list(description, header("A header and its value."), { maxItems: 16, mapKeys: ["name"], ...options });
}

/** A text and how values are compared with it. */
export function stringMatch(description: string) {
  return object(description, {
    type: choice("How to compare.", ["Exact", "Prefix", "Suffix", "RegularExpression"], { default: "Exact" }),
    value: required(
      text("Text to compare with; an RE2 expression must match the whole.", { minLength: 1, maxLength: 1024 }),
    ),
  });
}

/** Labels that objects must have. Where operators of expressions are wrong, a condition says so. */
export const labelSelectorFields = {
  matchLabels: map("Labels and the values that they must have.", text("Value of the label.")),
  matchExpressions: list(
    "Conditions, all of which must hold.",
    object("A condition.", {
      key: required(text("Name of the label.")),
      operator: required(text("In, NotIn, Exists or DoesNotExist.")),
      values: list("Values for In and NotIn.", text("A value.")),
    }),
  ),
};

/** The body of an answer that Envoy gives itself. */
export const responseBody = object(
  "Body of the answer.",
  {
    type: required(
      choice("Inline: written here. ValueRef: taken from a ConfigMap.", ["Inline", "ValueRef"], {
        default: "Inline",
        nested: true,
      }),
    ),
    inline: text("The body; for type Inline."),
    valueRef: localReference(
      "ConfigMap with the body under the key response.body, or else its first key; for type ValueRef.",
    ),
  },
  {
    rules: [
      {
        rule: "(has(self.type) && self.type != 'Inline') || has(self.inline)",
        message: "type Inline needs the field inline",
      },
      {
        rule: "!has(self.type) || self.type != 'ValueRef' || has(self.valueRef)",
        message: "type ValueRef needs the field valueRef",
      },
      { rule: "!has(self.valueRef) || self.valueRef.kind == 'ConfigMap'", message: "valueRef must name a ConfigMap" },
    ],
  },
);

/** The fields of a Gateway API header filter. */
export const headerFilterFields = {
  set: headers("Headers to write, replacing any value they have."),
  add: headers("Headers to write in addition to values they already have."),
  remove: list("Names of headers to take away.", text("Name of a header."), { maxItems: 16, set: true }),
};

/** Headers of an answer that Envoy gives itself. */
export const responseHeaders = object("Headers of the answer.", headerFilterFields, {
  rules: [
    {
      rule: "!has(self.remove) || size(self.remove) == 0",
      message: "a direct response has no headers to remove: use set or add",
    },
  ],
});

/** The standard list of conditions; `maxItems` null where the published schema sets no limit. */
export function conditions(
  description: string,
  { maxItems = 8, minItems }: { readonly maxItems?: number | null; readonly minItems?: number } = {},
) {
  const condition = object("One aspect of the object's state.", {
    type: required(
      text("What the condition is about.", {
        maxLength: 316,
        pattern: `^(${dnsLabels}/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$`,
      }),
    ),
    status: required(choice("Whether it holds.", ["True", "False", "Unknown"])),
    observedGeneration: integer("Generation of the object that the condition judges.", { format: "int64", minimum: 0 }),
    lastTransitionTime: required(text("When the status last changed.", { format: "date-time" })),
    reason: required(
      text("A word for programs that says why.", {
        minLength: 1,
        maxLength: 1024,
        pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
      }),
    ),
    message: required(text("A sentence for people that says why.", { maxLength: 32768 })),
  });
  return list(description, condition, {
    ...(minItems !== undefined && { minItems }),
    ...(maxItems !== null && { maxItems }),
    mapKeys: ["type"],
  });
}

/** Name of a controller, such as `example.com/gateway-controller`. */
export function controllerName(description: string) {
  return text(description, {
    minLength: 1,
    maxLength: 253,
    pattern: `^${dnsLabels}\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$`,
  });
}

/** The parent on whose behalf an object is judged: the Gateway API's ParentReference. */
export function ancestorReference(description: string) {
  return object(description, {
    group: group("API group of the ancestor.", { default: "gateway.networking.k8s.io" }),
    kind: kind("Kind of the ancestor.", { default: "Gateway" }),
    name: required(objectName("Name of the ancestor.")),
    namespace: namespace("Namespace of the ancestor."),
    port: servicePort("Port of the ancestor."),
    sectionName: dnsName("Listener of the ancestor."),
  });
}
