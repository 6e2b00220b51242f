import { CIDR } from "./cidr.ts";
import { choice, flag, integer, list, object, required, text } from "./schema.ts";

const place = object(
  "A place that an address belongs to: all that is given must hold.",
  {
    country: text("Country by its two letters (ISO 3166-1).", { minLength: 2, maxLength: 2, pattern: "^[A-Za-z]{2}$" }),
    region: text("Part of a country by its code (ISO 3166-2).", {
      minLength: 1,
      maxLength: 16,
      pattern: "^[A-Za-z0-9-]+$",
    }),
    city: text("City.", { minLength: 1, maxLength: 128 }),
    asn: integer("Number of the network (autonomous system).", { format: "int32", minimum: 1 }),
    isp: text("Provider.", { minLength: 1, maxLength: 256 }),
    anonymous: object(
      "Whether the address hides who uses it.",
      {
        isAnonymous: flag("In any way."),
        isVPN: flag("By a virtual private network."),
        isHosting: flag("By a hosting provider."),
        isTor: flag("By the Tor network."),
        isProxy: flag("By a public proxy."),
      },
      {
        rules: [
          {
            rule: "has(self.isAnonymous) || has(self.isVPN) || has(self.isHosting) || has(self.isTor) || has(self.isProxy)",
            message: "set one of isAnonymous, isVPN, isHosting, isTor and isProxy",
          },
        ],
      },
    ),
  },
  {
    rules: [
      {
        rule: "has(self.country) || has(self.region) || has(self.city) || has(self.asn) || has(self.isp) || has(self.anonymous)",
        message: "set one of country, region, city, asn, isp and anonymous",
      },
    ],
  },
);

const jwt = object(
  "A token that jwt has found good.",
  {
    provider: required(text("Provider of the token, by its name in jwt.providers.", { minLength: 1, maxLength: 253 })),
    claims: list(
      "Claims, all of which must match.",
      object("A claim.", {
        name: required(
          text("Name of the claim; one inside of another behind a dot.", { minLength: 1, maxLength: 253 }),
        ),
        valueType: choice("Whether the claim is a text or a list of texts.", ["String", "StringArray"], {
          default: "String",
        }),
        values: required(
          list("Texts, one of which it must be or hold.", text("A text."), { minItems: 1, maxItems: 128 }),
        ),
      }),
      { minItems: 1, maxItems: 16 },
    ),
    scopes: list("Scopes, all of which the token must have.", text("A scope.", { minLength: 1, maxLength: 253 }), {
      minItems: 1,
      maxItems: 16,
    }),
  },
  { rules: [{ rule: "has(self.claims) || has(self.scopes)", message: "set claims or scopes" }] },
);

const principal = object(
  "Who sends the request: all that is given must hold.",
  {
    clientCIDRs: list("Ranges of addresses, one of which has the client.", text("A range.", { pattern: CIDR }), {
      minItems: 1,
    }),
    clientIPGeoLocations: list("Places, one of which the client's address belongs to.", place, { minItems: 1 }),
    jwt,
    headers: list(
      "Headers, all of which must match.",
      object("A header.", {
        name: required(text("Name of the header.", { minLength: 1, maxLength: 256 })),
        values: required(list("Values, one of which it must have.", text("A value."), { minItems: 1, maxItems: 256 })),
      }),
      { minItems: 1, maxItems: 256 },
    ),
  },
  {
    rules: [
      {
        rule: "has(self.clientCIDRs) || has(self.clientIPGeoLocations) || has(self.jwt) || has(self.headers)",
        message: "set one of clientCIDRs, clientIPGeoLocations, jwt and headers",
      },
    ],
  },
);

const operation = object(
  "What the request wants: all that is given must hold.",
  {
    methods: list(
      "Methods, one of which it must be.",
      choice("A method.", ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]),
      { minItems: 1, maxItems: 16 },
    ),
    path: object("The path.", {
      type: choice("How to compare.", ["Exact", "PathPrefix", "RegularExpression"], { default: "PathPrefix" }),
      value: required(text("What to compare with.", { maxLength: 1024, default: "/" })),
      invert: flag("Any other path.", { default: false }),
    }),
  },
  { rules: [{ rule: "has(self.methods) || has(self.path)", message: "set methods or path" }] },
);

export const authorization = object("Says which requests pass. The first rule that matches decides.", {
  defaultAction: choice("What becomes of requests that no rule matches; Deny when left out.", ["Allow", "Deny"]),
  rules: list(
    "The rules.",
    object(
      "A rule: all that is given must hold.",
      {
        name: text("Name of the rule.", { minLength: 1, maxLength: 253 }),
        action: required(choice("What becomes of requests that match.", ["Allow", "Deny"])),
        principal,
        operation,
        cel: text("Expression in CEL over Envoy's attributes that must be true.", { minLength: 1, maxLength: 4096 }),
      },
      { rules: [{ rule: "has(self.principal) || has(self.cel)", message: "set principal or cel" }] },
    ),
  ),
});
