import { createHash } from "node:crypto";
import fc from "fast-check";
import { authorization } from "./security-fuzz-authorization.ts";
import { fuzzedLogins } from "./security-fuzz-logins.ts";
import { hostile, name, seldom, usual } from "./security-fuzz-texts.ts";
import { createIssuer } from "./tokens.ts";

/** SecurityPolicies, rules of HTTPRoutes and Secrets that somebody writes who means no good, or does not know better. */

type Content = Readonly<Record<string, unknown>>;

export interface FuzzCase {
  /** Of the SecurityPolicy, without its targets. */
  readonly spec: Content;
  /** Matches and filters of the route's rule. */
  readonly rule: Content;
  /** Contents of the Secrets `<case>-0` and `<case>-1`; undefined: there is none. */
  readonly secrets: readonly (Readonly<Record<string, string>> | undefined)[];
}

/** Stands for the name of the case's Secret of this number. */
export const secretName = (number: number) => `SECRET-${number}`;

const hash = (password: string) => `{SHA}${createHash("sha1").update(password).digest("base64")}`;
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.string({ minLength: 1, maxLength: 8 }).map((user) => `${user.replace(/[:\s#]/g, "u")}:${hash("p")}`),
  },
  { weight: 1, arbitrary: fc.tuple(hostile, hostile).map(([user, rest]) => `${user}:${rest}`) },
  { weight: 1, arbitrary: hostile },
  { weight: 1, arbitrary: fc.constantFrom("a:$apr1$x$y", "a:$2y$05$x", "a:{SHA}", `:${hash("")}`, "#", "") },
);
const htpasswd = fc
  .oneof(
    { weight: 3, arbitrary: fc.uniqueArray(fc.integer({ min: 0, max: 9 }).map((index) => `u${index}:${hash("p")}`)) },
    fc.array(line, { maxLength: 6 }),
  )
  .map((lines) => lines.join("\n"));

const client = fc.oneof({ weight: 3, arbitrary: fc.constantFrom("a", "b", "c.d", "E-f") }, hostile);
const key = fc.oneof({ weight: 4, arbitrary: fc.uuid() }, hostile);
const secret = fc.oneof(
  { weight: 4, arbitrary: htpasswd.map((users): Record<string, string> => ({ ".htpasswd": users })) },
  { weight: 4, arbitrary: fc.dictionary(client, key, { maxKeys: 4 }) },
  { weight: 4, arbitrary: key.map((text): Record<string, string> => ({ "client-secret": text })) },
  { weight: 1, arbitrary: fc.constant(undefined) },
);

const reference = fc.record(
  {
    name: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(secretName(0), secretName(1)) }, hostile),
    namespace: fc.constantFrom("default", "other"),
    kind: fc.constantFrom("Secret", "ConfigMap"),
  },
  { requiredKeys: ["name"], noNullPrototype: true },
);
const basicAuth = fc.record({
  users: fc.oneof({ weight: 4, arbitrary: fc.constant({ name: secretName(0) }) }, reference),
  forwardUsernameHeader: seldom(name),
});
const apiKeyAuth = fc.record({
  credentialRefs: fc.array(fc.oneof({ weight: 6, arbitrary: fc.constant({ name: secretName(1) }) }, reference), {
    maxLength: 3,
  }),
  extractFrom: fc.array(
    fc.oneof(
      fc.record({ headers: fc.array(name, { minLength: 1, maxLength: 3 }) }),
      fc.record({ params: fc.array(name, { minLength: 1, maxLength: 3 }) }),
      fc.record({ cookies: fc.array(name, { minLength: 1, maxLength: 3 }) }),
    ),
    { minLength: 1, maxLength: 3 },
  ),
  forwardClientIDHeader: seldom(name),
  sanitize: fc.option(fc.boolean(), { nil: undefined }),
});

const fuzzKey = createIssuer("fuzz").key;
const rsaKey = createIssuer("fuzz", "RS256").key;
const keySet = JSON.stringify({ keys: [fuzzKey] });
const member = fc.constantFrom("kty", "kid", "alg", "use", "crv", "x", "y", "n", "e");
const jwks = fc.oneof(
  { weight: 4, arbitrary: fc.constant(keySet) },
  fc.constantFrom(...["", "{", "[]", '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AA"}]}']),
  fc.json().map((keys) => `{"keys":[${keys}]}`),
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(fuzzKey, rsaKey), member, fc.oneof(hostile, fc.base64String(), fc.jsonValue()))
      .map(([key, name, value]) => JSON.stringify({ keys: [{ ...key, [name]: value }, fuzzKey] })),
  },
);
const uri = fc.oneof(
  fc.constantFrom(
    "http://127.0.0.1:1/",
    "http://[::1]:1/a?b#c",
    "https://a.test",
    "http://a.test:0/",
    "HTTP://A.test:65536/",
  ),
  fc.webUrl({ validSchemes: ["http", "https"], withQueryParameters: true, withFragments: true }),
  hostile,
);
const sources = fc.oneof(
  { weight: 3, arbitrary: fc.record({ localJWKS: fc.record({ type: fc.constant("Inline"), inline: jwks }) }) },
  fc.record({
    localJWKS: fc.record({
      type: fc.constant("ValueRef"),
      valueRef: fc.record({ group: fc.constant(""), kind: fc.constantFrom("ConfigMap", "Secret"), name: usual }),
    }),
  }),
  fc.record({
    remoteJWKS: fc.record({
      uri,
      cacheDuration: seldom(fc.constantFrom("0s", "1s", "99999h99999h99999h99999h")),
      failedRefetchDuration: seldom(fc.constantFrom("0s", "100ms", "99999h")),
      backendRefs: seldom(fc.constant([{ name: "app", port: 80 }])),
      backendSettings: seldom(
        fc.record({
          retry: fc.record({
            numRetries: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
            perRetry: fc.record({
              backOff: fc.record({
                baseInterval: fc.constantFrom("0s", "1ms", "9h"),
                maxInterval: fc.constantFrom("1ms", "9h"),
              }),
            }),
          }),
          timeout: fc.constantFrom({ http: { requestTimeout: "0s" } }, { http: { requestTimeout: "99999h99999h" } }),
        }),
      ),
    }),
  }),
);
const provider = fc
  .tuple(
    sources,
    fc.record({
      name: fc.oneof({ weight: 4, arbitrary: fc.constantFrom("p", "q", "__proto__") }, hostile),
      issuer: seldom(hostile),
      audiences: seldom(fc.array(hostile, { maxLength: 3 })),
      claimToHeaders: seldom(fc.array(fc.record({ header: name, claim: hostile }), { maxLength: 3 })),
      recomputeRoute: seldom(fc.boolean()),
      extractFrom: seldom(
        fc.record({
          headers: seldom(fc.array(fc.record({ name, valuePrefix: seldom(hostile) }), { maxLength: 3 })),
          cookies: seldom(fc.array(name, { maxLength: 3 })),
          params: seldom(fc.array(name, { maxLength: 3 })),
        }),
      ),
    }),
  )
  .map(([source, rest]): Content => ({ ...source, ...rest }));
const jwt = fc.record({ providers: fc.array(provider, { minLength: 1, maxLength: 3 }) });
/** Lets others pass, so that something else has to ask for credentials. */
const openJwt = fc
  .tuple(jwt, fc.constantFrom({ optional: true }, { failOpen: true }))
  .map(([required, open]): Content => ({ ...required, ...open }));

const extAuthServer = fc.record({
  backendRefs: fc.oneof(
    { weight: 5, arbitrary: fc.constant([{ name: "nobody", port: 80 }]) },
    fc.constantFrom([], [{ name: "missing", port: 80 }], [{ name: "nobody", port: 80, namespace: "other" }]),
    fc.constant([
      { name: "nobody", port: 80, weight: 3 },
      { name: "nobody", port: 80, fallback: true },
    ]),
  ),
  backendSettings: seldom(
    fc.record({
      retry: seldom(
        fc.record({
          numRetries: fc.integer({ min: 0, max: 12 }),
          perRetry: fc.record({ backOff: fc.record({ baseInterval: fc.constantFrom("0s", "1ms", "9h") }) }),
        }),
      ),
      timeout: fc.constantFrom({ http: { requestTimeout: "0s" } }, { http: { requestTimeout: "99999h99999h" } }),
    }),
  ),
});
const extAuth = fc
  .tuple(
    fc.oneof(
      fc.record({ grpc: extAuthServer }),
      fc
        .tuple(
          extAuthServer,
          fc.constantFrom("path", "pathOverride"),
          seldom(hostile),
          seldom(fc.array(name, { maxLength: 3 })),
        )
        .map(([server, field, path, headersToBackend]) => ({
          http: { ...server, [field]: path === undefined ? path : `/${path}`, headersToBackend },
        })),
    ),
    fc.record({
      headersToExtAuth: seldom(fc.array(name, { maxLength: 3 })),
      headersToBackend: seldom(fc.array(name, { maxLength: 3 })),
      bodyToExtAuth: seldom(fc.record({ maxRequestBytes: fc.integer({ min: 1, max: 2 ** 31 - 1 }) })),
      statusOnError: seldom(fc.constantFrom(401, 500)),
      recomputeRoute: seldom(fc.boolean()),
      timeout: seldom(fc.constantFrom("0s", "1ms", "99999h99999h99999h99999h")),
      contextExtensions: seldom(
        fc.uniqueArray(fc.record({ name: hostile, type: fc.constant("Value"), value: hostile }), {
          maxLength: 3,
          selector: (each) => each.name,
        }),
      ),
    }),
  )
  .map(([server, rest]): Content => ({ ...server, ...rest }));

const oidc = fuzzedLogins({ hostile, uri, name, reference, own: { name: secretName(1) } });

const origin = fc.oneof(
  fc.constantFrom("*", "https://*", "https://*.a.test", "http://a.test:81", "x+y.z://a_b", "https://*:65535"),
  fc.tuple(fc.constantFrom("http", "https", "a-b"), fc.domain()).map(([scheme, host]) => `${scheme}://${host}`),
  hostile,
);
const duration = fc.constantFrom("0s", "10m", "99999h99999h99999h99999h", "1ms", "1d", "");
const names = fc.option(fc.array(name, { maxLength: 3 }), { nil: undefined });
const cors = fc.record({
  allowOrigins: fc.option(fc.array(origin, { maxLength: 4 }), { nil: undefined }),
  allowMethods: names,
  allowHeaders: names,
  exposeHeaders: names,
  maxAge: seldom(duration),
  allowCredentials: fc.option(fc.boolean(), { nil: undefined }),
});
const csrf = fc.record({
  additionalOrigins: fc.option(fc.array(origin, { maxLength: 4 }), { nil: undefined }),
  shadowFraction: seldom(
    fc.record({
      numerator: fc.integer({ min: 0, max: 2 ** 31 }),
      denominator: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    }),
  ),
});

const spec = fc
  .tuple(
    fc.constantFrom(
      ["basicAuth"],
      ["apiKeyAuth"],
      ["basicAuth", "apiKeyAuth"],
      ["apiKeyAuth", "cors", "csrf"],
      ["basicAuth", "cors"],
      ["jwt"],
      ["jwt", "cors"],
      ["openJwt", "basicAuth"],
      ["jwt", "authorization"],
      ["basicAuth", "authorization"],
      ["extAuth"],
      ["extAuth", "apiKeyAuth"],
      ["oidc"],
      ["oidc", "jwt"],
    ),
    fc.record({ basicAuth, apiKeyAuth, cors, csrf, jwt, openJwt, extAuth, authorization, oidc }),
    seldom(fc.constantFrom<Content>({ mergeType: "StrategicMerge" }, { mergeType: "JSONMerge" })),
  )
  .map(
    ([groups, all, more]): Content => ({
      ...Object.fromEntries(
        groups.map((group) => [group === "openJwt" ? "jwt" : group, all[group as keyof typeof all]]),
      ),
      ...more,
    }),
  );

const match = fc.record(
  {
    path: fc.record({
      type: fc.constantFrom("Exact", "PathPrefix", "RegularExpression"),
      value: fc.oneof(
        fc.constantFrom("/", "/a", "/a/", "/.*"),
        hostile.map((text) => `/${text}`),
      ),
    }),
    headers: fc.array(fc.record({ name, value: hostile }), { maxLength: 2 }),
    method: fc.constantFrom("GET", "POST", "OPTIONS"),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const filter = fc.record({
  type: fc.constant("RequestHeaderModifier"),
  requestHeaderModifier: fc.record({
    set: fc.array(fc.record({ name, value: hostile }), { minLength: 1, maxLength: 2 }),
  }),
});
const rule = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Content>({}) },
  fc.record<Content>({ matches: fc.array(match, { minLength: 1, maxLength: 2 }) } as never),
  fc.record<Content>({ filters: fc.array(filter, { minLength: 1, maxLength: 1 }) } as never),
);

/** The same for the same seed. */
export function fuzzCases(seed: number, count: number): readonly FuzzCase[] {
  return fc.sample(fc.record({ spec, rule, secrets: fc.tuple(secret, secret) }), { seed, numRuns: count });
}
