import { choice, integer, list, object, required, text } from "./schema.ts";

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
    namespace: text("Namespace of the object; that of the referring object when left out.", {
      minLength: 1,
      maxLength: 63,
      pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    }),
  });
}

const headerName = "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$";

function headers(description: string) {
  const header = object("A header and its value.", {
    name: required(
      text("Name of the header; case does not matter.", { minLength: 1, maxLength: 256, pattern: headerName }),
    ),
    value: required(text("Value of the header.", { minLength: 1, maxLength: 4096 })),
  });
  return list(description, header, { maxItems: 16, mapKeys: ["name"] });
}

/** The fields of a Gateway API header filter. */
export const headerFilterFields = {
  set: headers("Headers to write, replacing any value they have."),
  add: headers("Headers to write in addition to values they already have."),
  remove: list("Names of headers to take away.", text("Name of a header."), { maxItems: 16, set: true }),
};

/** The standard list of conditions. */
export function conditions(description: string) {
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
  return list(description, condition, { maxItems: 8, mapKeys: ["type"] });
}
