import { choice, flag, integer, list, object, type Rule, required, text } from "./schema.ts";

/** Pieces that several of our kinds have in common. Each takes the description of the place where it stands. */

const dnsLabels = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

/** A lower-case DNS name of at most 253 characters. */
export function dnsName(description: string, options: { readonly trailingDot?: boolean } = {}) {
  const pattern = `^${dnsLabels}${options.trailingDot ? "\\.?" : ""}$`;
  return text(description, { minLength: 1, maxLength: 253, pattern });
}

export function port(description: string) {
  return integer(description, { format: "int32", minimum: 0, maximum: 65535 });
}

function group(description: string, options: { readonly default?: string } = {}) {
  return text(description, { maxLength: 253, pattern: `^$|^${dnsLabels}$`, ...options });
}

function kind(description: string, options: { readonly default?: string } = {}) {
  const pattern = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";
  return text(description, { minLength: 1, maxLength: 63, pattern, ...options });
}

function objectName(description: string) {
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

const headerName = "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$";

/** A request header to send. */
export function header(description: string) {
  return object(description, {
    name: required(
      text("Name of the header; case does not matter.", { minLength: 1, maxLength: 256, pattern: headerName }),
    ),
    value: required(text("Value of the header.", { minLength: 1, maxLength: 4096 })),
  });
}

function headers(description: string) {
  return list(description, header("A header and its value."), { maxItems: 16, mapKeys: ["name"] });
}

/** The fields of a Gateway API header filter. */
export const headerFilterFields = {
  set: headers("Headers to write, replacing any value they have."),
  add: headers("Headers to write in addition to values they already have."),
  remove: list("Names of headers to take away.", text("Name of a header."), { maxItems: 16, set: true }),
};

/** The standard list of conditions; `maxItems` null where the published schema sets no limit. */
export function conditions(description: string, { maxItems = 8 }: { readonly maxItems?: number | null } = {}) {
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
  return list(description, condition, { ...(maxItems !== null && { maxItems }), mapKeys: ["type"] });
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
