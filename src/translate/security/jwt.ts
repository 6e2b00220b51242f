import type { JwtProvider as Provider } from "../../attach/security/jwt.ts";
import type { SecurityModel } from "../../attach/security/model.ts";
import { type Any, pack, sortedMap } from "../../envoy/any.ts";
import {
  JwtAuthentication,
  type JwtProvider,
  type JwtRequirement,
  type RemoteJwks,
} from "../../envoy/generated/envoy/extensions/filters/http/jwt_authn/v3/config.ts";
import { parseDuration, toDuration } from "../duration.ts";
import { runFilter } from "../whole-filter.ts";
import { askTime, planRetries } from "./asked-server.ts";
import { securityFilterNames } from "./filters.ts";

/** How long keys are good for (the catalogue of fields). */
const CACHE_MS = 300_000;
/** A claim that no token has. */
const NO_CLAIM = "gatehouse.dev/no-claim";

/** Envoy takes whose tokens are good of listeners only. */
export function configureJwt(security: SecurityModel): readonly [filter: string, config: Any] | undefined {
  const { jwt, servers = {} } = security;
  if (jwt === undefined) return undefined;
  const { providers, tolerates } = jwt;
  const headers = new Set(providers.flatMap(({ claims }) => claims.map(({ header }) => header.toLowerCase())));
  const requirements: JwtRequirement[] = [
    ...providers.map(({ name: providerName }) => ({ providerName })),
    ...(tolerates === "missing" ? [{ allowMissing: {} }] : []),
    ...(tolerates === "anything" ? [{ allowMissingOrFailed: {} }] : []),
  ];
  const [only, ...others] = requirements;
  const filter: JwtAuthentication = {
    providers: sortedMap(providers.map((each) => [each.name, buildProvider(each, servers, headers)] as const)),
    // Every request, those without a path too.
    rules: [{ match: { prefix: "" }, requires: others.length === 0 ? only : { requiresAny: { requirements } } }],
  };
  const name = securityFilterNames.jwt;
  return [name, runFilter(name, pack(JwtAuthentication, filter))];
}

/**
 * @param headers all in which the backend is told anything, whoever issued the token. Envoy takes away only those of the provider whose
 *   token it looks at, so every provider has all of them: else the client could say itself what another issuer would have to.
 */
function buildProvider(
  provider: Provider,
  servers: NonNullable<SecurityModel["servers"]>,
  headers: ReadonlySet<string>,
): JwtProvider {
  const { name, issuer, audiences, keys, claims, recomputesRoute } = provider;
  const told = new Set(claims.map(({ header }) => header.toLowerCase()));
  const untold = [...headers].filter((header) => !told.has(header)).sort();
  return {
    ...(issuer !== undefined && { issuer }),
    audiences: [...audiences],
    ...("local" in keys
      ? { localJwks: { inlineString: keys.local } }
      : { remoteJwks: buildRemote(keys, servers[keys.use]?.name ?? "", provider.asked) }),
    // The backend may look at the token itself.
    forward: true,
    fromHeaders: provider.headers.map((header) => ({ name: header.name, valuePrefix: header.prefix })),
    fromParams: [...provider.parameters],
    fromCookies: [...provider.cookies],
    claimToHeaders: [
      ...claims.map(({ header, claim }) => ({ headerName: header, claimName: claim })),
      ...untold.map((header) => ({ headerName: header, claimName: NO_CLAIM })),
    ],
    clearRouteCache: recomputesRoute,
    payloadInMetadata: name,
    normalizePayloadInMetadata: { spaceDelimitedClaims: ["scope"] },
  };
}

function buildRemote(
  { remote }: Extract<Provider["keys"], { remote: object }>,
  cluster: string,
  { timeout, retry }: NonNullable<Provider["asked"]> = {},
): RemoteJwks {
  const { cacheDuration, failedRefetchDuration } = remote;
  return {
    httpUri: { uri: remote.uri, cluster, timeout: askTime(timeout) },
    cacheDuration: toDuration(parseDuration(cacheDuration) ?? CACHE_MS),
    // Ahead only where it is asked for: Envoy would fetch for each route, used or not, whenever a table changes.
    ...(failedRefetchDuration !== undefined && {
      asyncFetch: { fastListener: true, failedRefetchDuration: toDuration(parseDuration(failedRefetchDuration) ?? 0) },
    }),
    ...(retry && { retryPolicy: planRetries(retry) }),
  };
}
