import { objectKey } from "../../base/keys.ts";
import { nameHash } from "../../envoy/hash.ts";
import type { SecretUse } from "../cluster-spec.ts";
import { findTokenFault } from "../header-syntax.ts";
import type { ClusterSpec } from "../model.ts";
import { lineOf, secretBytes } from "../object-data.ts";
import { nameLoginKey } from "./login-key.ts";
import type { FollowContext, FollowFault, ReportFault, SecurityGroup, WrittenSecurity } from "./model.ts";
import { judgeLogin, planRedirect } from "./oidc-settings.ts";
import { followSecret, isFault } from "./secrets.ts";
import { followServer, readAddress, type ServerFault } from "./servers.ts";

export type WrittenLogin = NonNullable<WrittenSecurity["oidc"]>;

/** One client of one provider, which a merge takes whole: nobody's secret must go to somebody else's provider. */
interface LoginClient {
  readonly clientId: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly endSessionEndpoint?: string;
  readonly server: ClusterSpec;
  /** Text of a duration. */
  readonly timeout?: string;
  /** Names of xDS secrets. */
  readonly clientSecret: string;
  readonly loginKey: string;
  /** Tells the cookies of policies apart. */
  readonly suffix: string;
}

export interface LoginSettings extends Omit<WrittenLogin, "provider" | "clientID" | "clientIDRef" | "clientSecret"> {
  /** Always one. */
  readonly client: readonly (LoginClient | ServerFault)[];
}

/** How users log in. */
export interface LoginModel extends Omit<LoginClient, "server"> {
  /** Names the server of tokens among those of the policy. */
  readonly use: string;
  readonly redirectUrl: string;
  readonly redirectPath: string;
  readonly logoutPath: string;
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
  readonly accessTokenCookie?: string;
  readonly idTokenCookie?: string;
  readonly cookieDomain?: string;
  readonly sameSite?: "Lax" | "Strict" | "None";
  readonly forwardsAccessToken: boolean;
  readonly renews: boolean;
  readonly encrypts: boolean;
  /** Texts of durations. */
  readonly tokenLifetime?: string;
  readonly refreshTokenLifetime?: string;
  readonly loginTime?: string;
}

const SERVER_USE = "oidc";
const CLIENT_ID_KEY = "client-id";
export const CLIENT_SECRET_KEY = "client-secret";
const SECRET_LENGTH_MAX = 4096;
const LOGOUT_PATH = "/logout";
/** Characters of a client's name and of its secret (RFC 6749, VSCHAR). */
const visible = /^[\x20-\x7e]+$/;

export const oidc: SecurityGroup<"oidc"> = {
  name: "oidc",
  follow: ({ provider, clientID, clientIDRef, clientSecret, ...rest }, context) => ({
    ...rest,
    client: [followClient({ provider, clientID, clientIDRef, clientSecret }, context)],
  }),
  plan(settings, report) {
    const [client] = settings.client;
    if (client !== undefined && isFault(client)) report(client.field, client.fault);
    judgeNames(settings, report);
    judgeLogin(settings, report);
    const redirect = planRedirect(settings.redirectURL, settings.logoutPath ?? LOGOUT_PATH, report);
    if (client === undefined || isFault(client) || redirect === undefined) return {};
    const { server, ...others } = client;
    const { cookieNames = {}, cookieConfig = {}, cookieDomain } = settings;
    return {
      servers: { [SERVER_USE]: server },
      oidc: {
        ...others,
        ...redirect,
        use: SERVER_USE,
        logoutPath: settings.logoutPath ?? LOGOUT_PATH,
        scopes: [...new Set(["openid", ...(settings.scopes ?? [])])],
        resources: settings.resources ?? [],
        ...(cookieNames.accessToken !== undefined && { accessTokenCookie: cookieNames.accessToken }),
        ...(cookieNames.idToken !== undefined && { idTokenCookie: cookieNames.idToken }),
        ...(cookieDomain !== undefined && { cookieDomain }),
        ...(cookieConfig.sameSite !== undefined && { sameSite: cookieConfig.sameSite }),
        forwardsAccessToken: settings.forwardAccessToken === true,
        renews: settings.refreshToken !== false,
        encrypts: settings.disableTokenEncryption !== true,
        ...(settings.defaultTokenTTL !== undefined && { tokenLifetime: settings.defaultTokenTTL }),
        ...(settings.defaultRefreshTokenTTL !== undefined && { refreshTokenLifetime: settings.defaultRefreshTokenTTL }),
        ...(settings.csrfTokenTTL !== undefined && { loginTime: settings.csrfTokenTTL }),
      },
    };
  },
};

function judgeNames({ cookieNames = {} }: LoginSettings, report: ReportFault): void {
  const { accessToken, idToken } = cookieNames;
  for (const [field, name] of Object.entries({ accessToken, idToken })) {
    const fault = name === undefined ? undefined : findTokenFault(name, "name of a cookie");
    if (fault !== undefined) report(`cookieNames.${field}`, fault);
  }
  if (accessToken !== undefined && accessToken === idToken) {
    report("cookieNames.idToken", "is the cookie of the access token; give each a name of its own");
  }
}

type WrittenClient = Pick<WrittenLogin, "provider" | "clientID" | "clientIDRef" | "clientSecret">;

function followClient(written: WrittenClient, context: FollowContext): LoginClient | ServerFault {
  if (context.read.settings.loginKey === undefined) {
    return { field: "", fault: "is not implemented in this version for gateways that run in a cluster; remove it" };
  }
  const endpoints = readEndpoints(written.provider);
  if ("fault" in endpoints) return endpoints;
  const clientId = followText(written.clientIDRef, CLIENT_ID_KEY, context, written.clientID);
  if (isFault(clientId)) return { field: written.clientIDRef ? "clientIDRef" : "clientID", ...clientId };
  const secret = followText(written.clientSecret, CLIENT_SECRET_KEY, context);
  if (isFault(secret)) return { field: "clientSecret", ...secret };
  const { name, namespace = context.namespace } = written.clientSecret;
  const key = objectKey(namespace, name);
  const clientSecret: SecretUse = { name: `oidc-client/${key}`, use: "clientSecret", source: "secret", key };
  const loginKey = nameLoginKey([context.policy, written.provider.issuer, ...Object.values(endpoints), clientId]);
  const { tokenEndpoint } = endpoints;
  const server = followServer(new URL(tokenEndpoint), written.provider, context, [clientSecret, loginKey]);
  if (isFault(server)) {
    return {
      field: server.field === "uri" ? "provider.tokenEndpoint" : `provider.${server.field}`,
      fault: server.fault,
    };
  }
  if (server.retry !== undefined) {
    return { field: "provider.backendSettings.retry", fault: "is not implemented in this version; remove it" };
  }
  return {
    ...endpoints,
    clientId,
    server: server.cluster,
    ...(server.timeout !== undefined && { timeout: server.timeout }),
    clientSecret: clientSecret.name,
    loginKey: loginKey.name,
    suffix: nameHash(context.policy),
  };
}

type Endpoints = Pick<LoginClient, "authorizationEndpoint" | "tokenEndpoint" | "endSessionEndpoint">;

function readEndpoints(provider: WrittenLogin["provider"]): Endpoints | ServerFault {
  const found: Record<string, string> = {};
  for (const field of ["authorizationEndpoint", "tokenEndpoint", "endSessionEndpoint"] as const) {
    const text = provider[field];
    if (text === undefined && field === "endSessionEndpoint") continue;
    if (text === undefined) {
      const fault =
        "is missing, and looking it up at the issuer is not implemented in this version; copy it from .well-known/openid-configuration there";
      return { field: `provider.${field}`, fault };
    }
    const address = readAddress(text);
    if (isFault(address)) return { field: `provider.${field}`, ...address };
    found[field] = address.href;
  }
  return found as unknown as Endpoints;
}

/** What a Secret holds under a key, where there is a reference. The text of the secret itself must go no further than its caller. */
function followText(
  reference: WrittenLogin["clientIDRef"],
  key: string,
  context: FollowContext,
  written = "",
): string | FollowFault {
  if (reference === undefined) {
    return visible.test(written)
      ? written
      : { fault: "has characters that no provider knows; use visible ones of ASCII" };
  }
  const secret = followSecret(reference, context);
  if (isFault(secret)) return secret;
  const name = objectKey(secret.metadata.namespace, secret.metadata.name);
  const bytes = secretBytes(secret, key);
  const text = bytes && lineOf(bytes);
  if (text === undefined || text === "")
    return { fault: `names Secret ${name}, which has nothing under the key ${key}; put it there` };
  return visible.test(text) && text.length <= SECRET_LENGTH_MAX
    ? text
    : {
        fault: `names Secret ${name}, whose ${key} is longer than ${SECRET_LENGTH_MAX} characters or has others than the visible ones of ASCII; write it as the provider shows it`,
      };
}
