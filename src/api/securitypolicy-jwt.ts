import { clusterSettings } from "./cluster-settings.ts";
import { choice, flag, list, object, type Rule, required, text } from "./schema.ts";
import { backendRefFields, duration, localReference } from "./shared-schemas.ts";

const remoteJWKS = object(
  "Keys to fetch.",
  {
    ...backendRefFields,
    backendSettings: clusterSettings("How to reach the server of the keys."),
    uri: required(text("Address of the keys.", { minLength: 1, maxLength: 253 })),
    cacheDuration: duration("How long fetched keys are good for.", { default: "300s" }),
    failedRefetchDuration: duration("Pause after keys could not be fetched; 1s when left out."),
  },
  { rules: [{ rule: "!has(self.backendRef)", message: "backendRef is not used any more: write backendRefs" }] },
);

const localJWKS = object(
  "Keys to be had here.",
  {
    type: required(
      choice("Inline: written here. ValueRef: taken from a ConfigMap.", ["Inline", "ValueRef"], { default: "Inline" }),
    ),
    inline: text("The keys as a JSON Web Key Set; for type Inline."),
    valueRef: localReference("ConfigMap with the keys under the key jwks, or else its first key; for type ValueRef."),
  },
  {
    rules: [
      {
        rule: "(self.type == 'Inline') == has(self.inline) && (self.type == 'ValueRef') == has(self.valueRef)",
        message: "type Inline needs the field inline alone, type ValueRef the field valueRef alone",
      },
    ],
  },
);

const providerRules: readonly Rule[] = [
  {
    rule: "!has(self.recomputeRoute) || !self.recomputeRoute || (has(self.claimToHeaders) && self.claimToHeaders.size() > 0)",
    message: "recomputeRoute needs claimToHeaders: only headers can lead to another route",
  },
  { rule: "has(self.remoteJWKS) != has(self.localJWKS)", message: "set exactly one of remoteJWKS and localJWKS" },
];

const provider = object(
  "Somebody whose tokens are taken.",
  {
    name: required(text("Name to refer to.", { minLength: 1, maxLength: 253 })),
    issuer: text("The issuer (iss) that a token must have; any when left out.", { maxLength: 253 }),
    audiences: list("Audiences (aud), one of which a token must have; any when left out.", text("An audience."), {
      maxItems: 8,
    }),
    remoteJWKS,
    localJWKS,
    claimToHeaders: list(
      "Claims to tell the backend in headers.",
      object("A claim and its header.", {
        header: required(text("Name of the header.")),
        claim: required(text("Name of the claim; one inside of another behind a dot.")),
      }),
    ),
    recomputeRoute: flag("Whether the request is routed anew once the headers of claimToHeaders are there."),
    extractFrom: object(
      "Where to look for the token; the header Authorization with Bearer and the parameter access_token when left out.",
      {
        headers: list(
          "Headers.",
          object("A header.", {
            name: required(text("Name of the header.")),
            valuePrefix: text("What stands before the token, such as Bearer and a space."),
          }),
        ),
        cookies: list("Cookies.", text("Name of a cookie.")),
        params: list("Query parameters.", text("Name of a parameter.")),
      },
    ),
  },
  { rules: providerRules },
);

export const jwt = object(
  "Asks for a JSON Web Token.",
  {
    optional: flag("Whether requests without any token pass; a bad token is refused all the same."),
    failOpen: flag("Whether requests pass whatever becomes of their token; claims of bad tokens count for nothing."),
    providers: required(list("Whose tokens are taken.", provider, { minItems: 1, maxItems: 16 })),
  },
  {
    rules: [
      {
        rule: "!(has(self.optional) && has(self.failOpen))",
        message: "optional and failOpen exclude one another: failOpen takes requests without a token, too",
      },
    ],
  },
);
