import fc from "fast-check";

interface Parts {
  /** Texts of somebody who means no good. */
  readonly hostile: fc.Arbitrary<string>;
  readonly uri: fc.Arbitrary<string>;
  readonly name: fc.Arbitrary<string>;
  /** To any Secret, and to the right one. */
  readonly reference: fc.Arbitrary<object>;
  readonly own: object;
}

const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

/** What a SecurityPolicy says of logins (oidc). */
export function fuzzedLogins({ hostile, uri, name, reference, own }: Parts) {
  return fc.record({
    provider: fc.record({
      issuer: hostile.map((text) => `i${text}`),
      authorizationEndpoint: uri,
      tokenEndpoint: uri,
      endSessionEndpoint: seldom(uri),
      backendRefs: seldom(fc.constant([{ name: "nobody", port: 80 }])),
    }),
    clientID: fc.oneof(
      { weight: 3, arbitrary: fc.constant("client") },
      hostile.map((text) => `c${text}`),
    ),
    clientSecret: fc.oneof({ weight: 5, arbitrary: fc.constant(own) }, reference),
    cookieNames: seldom(fc.record({ accessToken: seldom(name), idToken: seldom(name) })),
    scopes: seldom(fc.array(hostile, { maxLength: 3 })),
    resources: seldom(fc.array(fc.oneof(uri, hostile), { maxLength: 3 })),
    redirectURL: seldom(
      fc.oneof(
        uri,
        hostile.map((text) => `%REQ(x-forwarded-proto)%://%REQ(:authority)%/${text}`),
      ),
    ),
    logoutPath: seldom(hostile.map((text) => `/${text}`)),
    forwardAccessToken: seldom(fc.boolean()),
    refreshToken: seldom(fc.boolean()),
    defaultTokenTTL: seldom(fc.constantFrom("0s", "1ms", "99999h99999h99999h99999h")),
    csrfTokenTTL: seldom(fc.constantFrom("0s", "1ms", "99999h99999h99999h99999h")),
  });
}
