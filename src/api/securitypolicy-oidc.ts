import { clusterSettings } from "./cluster-settings.ts";
import { choice, flag, list, object, required, text } from "./schema.ts";
import { backendRefFields, dnsLabels, duration, headerName, secretReference } from "./shared-schemas.ts";

const provider = object(
  "The OpenID provider.",
  {
    ...backendRefFields,
    backendSettings: clusterSettings("How to reach the provider."),
    issuer: required(text("Address of the provider, whose configuration is found there.", { minLength: 1 })),
    authorizationEndpoint: text("Where users log in; as the provider's configuration says when left out."),
    tokenEndpoint: text("Where tokens are had; as the provider's configuration says when left out."),
    endSessionEndpoint: text("Where users are logged out; as the provider's configuration says when left out."),
  },
  { rules: [{ rule: "!has(self.backendRef)", message: "backendRef is not used any more: write backendRefs" }] },
);

const denyRedirect = object(
  "Requests that are refused with 401 rather than sent to log in, such as those of scripts.",
  {
    headers: required(
      list(
        "Headers by which such requests are known; one is enough.",
        object("A header.", {
          name: required(text("Name of the header.", { minLength: 1 })),
          type: choice("How to compare.", ["Exact", "Prefix", "Suffix", "RegularExpression"], { default: "Exact" }),
          value: required(text("What to compare with.", { minLength: 1, maxLength: 1024 })),
        }),
        { minItems: 1, maxItems: 16 },
      ),
    ),
  },
);

const forwardIDToken = object("Passes the ID token on to the backend.", {
  header: required(
    text("Header to pass it in.", {
      minLength: 1,
      maxLength: 256,
      pattern: headerName,
      rules: [{ rule: "self.lowerAscii() != 'host'", message: "must not be Host, which says where requests go" }],
    }),
  ),
});

export const oidc = object(
  "Sends users to log in at an OpenID provider.",
  {
    provider: required(provider),
    clientID: text("How the provider calls this client.", { minLength: 1 }),
    clientIDRef: secretReference("Secret with how the provider calls this client, under the key client-id."),
    clientSecret: required(
      secretReference("Secret with what this client proves itself by, under the key client-secret."),
    ),
    cookieNames: object("Names of cookies; made of the policy when left out.", {
      accessToken: text("Cookie of the access token."),
      idToken: text("Cookie of the ID token."),
    }),
    cookieConfig: object("Attributes of cookies.", {
      sameSite: choice("With which requests of other sites browsers send them.", ["Lax", "Strict", "None"]),
    }),
    cookieDomain: text("Domain of cookies; the host of the request when left out.", { pattern: `^${dnsLabels}$` }),
    scopes: list("Scopes to ask for; openid is always among them.", text("A scope.")),
    resources: list("Resources to ask for (RFC 8707).", text("Address of a resource.")),
    redirectURL: text(
      "Where the provider sends users back to; %REQ(x-forwarded-proto)%://%REQ(:authority)%/oauth2/callback when left out.",
    ),
    denyRedirect,
    logoutPath: text("Path that logs users out; /logout when left out."),
    forwardAccessToken: flag("Whether the access token is passed on to the backend in the header Authorization."),
    forwardIDToken,
    defaultTokenTTL: duration("How long a token is good for where the provider does not say."),
    refreshToken: flag("Whether tokens are renewed without asking users again.", { default: true }),
    defaultRefreshTokenTTL: duration("How long tokens can be renewed where the provider does not say."),
    csrfTokenTTL: duration("How long users may take to log in."),
    disableTokenEncryption: flag("Whether tokens stand in cookies as they are."),
    passThroughAuthHeader: flag("Whether requests that bring a Bearer token pass, for jwt to judge."),
  },
  {
    rules: [
      { rule: "has(self.clientID) != has(self.clientIDRef)", message: "set exactly one of clientID and clientIDRef" },
      {
        rule: "!has(self.forwardAccessToken) || !self.forwardAccessToken || !has(self.forwardIDToken) || self.forwardIDToken.header.lowerAscii() != 'authorization'",
        message: "forwardAccessToken takes the header Authorization: forward the ID token in another one",
      },
    ],
  },
);
