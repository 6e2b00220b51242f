import type { SecurityModel } from "../../attach/security/model.ts";
import type { LoginModel } from "../../attach/security/oidc.ts";
import { type Any, pack } from "../../envoy/any.ts";
import { adsConfigSource } from "../../envoy/constants.ts";
import {
  type CookieConfigs,
  OAuth2,
  type OAuth2Credentials,
  CookieConfig_SameSite as SameSite,
} from "../../envoy/generated/envoy/extensions/filters/http/oauth2/v3/oauth.ts";
import { parseDuration, toDuration } from "../duration.ts";
import { runFilter } from "../whole-filter.ts";
import { askTime } from "./asked-server.ts";
import { securityFilterNames } from "./filters.ts";

/** Envoy answers 503 for as long as it has not been given the secrets, so nobody passes ahead of them. */
export function configureOidc({
  oidc,
  servers = {},
}: SecurityModel): readonly [filter: string, config: Any] | undefined {
  if (oidc === undefined) return undefined;
  const name = securityFilterNames.oidc;
  const filter: OAuth2 = {
    config: {
      tokenEndpoint: {
        uri: oidc.tokenEndpoint,
        cluster: servers[oidc.use]?.name ?? "",
        timeout: askTime(oidc.timeout),
      },
      authorizationEndpoint: oidc.authorizationEndpoint,
      ...(oidc.endSessionEndpoint !== undefined && { endSessionEndpoint: oidc.endSessionEndpoint }),
      credentials: buildCredentials(oidc),
      redirectUri: oidc.redirectUrl,
      redirectPathMatcher: { path: { exact: oidc.redirectPath } },
      signoutPath: { path: { exact: oidc.logoutPath } },
      forwardBearerToken: oidc.forwardsAccessToken,
      authScopes: [...oidc.scopes],
      resources: [...oidc.resources],
      useRefreshToken: oidc.renews,
      disableTokenEncryption: !oidc.encrypts,
      ...lifetime("defaultExpiresIn", oidc.tokenLifetime),
      ...lifetime("defaultRefreshTokenExpiresIn", oidc.refreshTokenLifetime),
      ...lifetime("csrfTokenExpiresIn", oidc.loginTime),
      ...lifetime("codeVerifierTokenExpiresIn", oidc.loginTime),
      ...(oidc.sameSite !== undefined && { cookieConfigs: buildCookies(oidc.sameSite) }),
    },
  };
  return [name, runFilter(name, pack(OAuth2, filter))];
}

function lifetime<Field extends string>(field: Field, text: string | undefined) {
  const milliseconds = parseDuration(text);
  return milliseconds === undefined ? {} : { [field]: toDuration(milliseconds) };
}

function buildCredentials(oidc: LoginModel): OAuth2Credentials {
  const { clientId, clientSecret, loginKey, suffix, cookieDomain } = oidc;
  return {
    clientId,
    tokenSecret: { name: clientSecret, sdsConfig: adsConfigSource },
    hmacSecret: { name: loginKey, sdsConfig: adsConfigSource },
    ...(cookieDomain !== undefined && { cookieDomain }),
    cookieNames: {
      bearerToken: oidc.accessTokenCookie ?? `AccessToken-${suffix}`,
      idToken: oidc.idTokenCookie ?? `IdToken-${suffix}`,
      oauthHmac: `OauthHMAC-${suffix}`,
      oauthExpires: `OauthExpires-${suffix}`,
      refreshToken: `RefreshToken-${suffix}`,
      oauthNonce: `OauthNonce-${suffix}`,
      codeVerifier: `CodeVerifier-${suffix}`,
    },
  };
}

/** The two that a login needs come back with a redirect of another site, on which browsers send no `Strict` ones. */
function buildCookies(written: NonNullable<LoginModel["sameSite"]>): CookieConfigs {
  const sameSite = { Lax: SameSite.LAX, Strict: SameSite.STRICT, None: SameSite.NONE }[written];
  const ofLogin = { sameSite: written === "Strict" ? SameSite.LAX : sameSite };
  const ofSession = { sameSite };
  return {
    bearerTokenCookieConfig: ofSession,
    oauthHmacCookieConfig: ofSession,
    oauthExpiresCookieConfig: ofSession,
    idTokenCookieConfig: ofSession,
    refreshTokenCookieConfig: ofSession,
    oauthNonceCookieConfig: ofLogin,
    codeVerifierCookieConfig: ofLogin,
  };
}
