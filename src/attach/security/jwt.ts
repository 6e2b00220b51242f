import { objectKey } from "../../base/keys.ts";
import { secondsOf } from "../duration-seconds.ts";
import { findHeaderValueFault, findLengthFault, findTokenFault } from "../header-syntax.ts";
import { configMapBytes } from "../object-data.ts";
import { readJwks } from "./jwks.ts";
import type {
  FollowContext,
  FollowFault,
  ReportFault,
  SecurityGroup,
  SecurityModel,
  WrittenSecurity,
} from "./model.ts";
import { isFault } from "./secrets.ts";
import { type AskedServer, followServer, readAddress, type ServerFault } from "./servers.ts";
import { findToldHeaderFault } from "./told-header.ts";

type Written = NonNullable<WrittenSecurity["jwt"]>;
type WrittenProvider = Written["providers"][number];

/** Keys that are fetched. Texts of durations. */
interface RemoteKeys {
  readonly uri: string;
  readonly server: AskedServer;
  readonly cacheDuration?: string;
  readonly failedRefetchDuration?: string;
}

type FollowedKeys = { readonly local: string } | { readonly remote: RemoteKeys } | ServerFault;

interface JwtProviderSettings extends Omit<WrittenProvider, "remoteJWKS" | "localJWKS"> {
  readonly keys: FollowedKeys;
}

export interface JwtSettings extends Omit<Written, "providers"> {
  readonly providers: readonly JwtProviderSettings[];
}

/** Tokens of one issuer. */
export interface JwtProvider {
  readonly name: string;
  /** Undefined: any. */
  readonly issuer?: string;
  /** One of which a token must have; none: any. */
  readonly audiences: readonly string[];
  /** A key set as text, or where it is fetched; `use` names the server among those of the policy. */
  readonly keys: { readonly local: string } | { readonly remote: Omit<RemoteKeys, "server">; readonly use: string };
  /** How the server of the keys is asked. */
  readonly asked?: Pick<AskedServer, "timeout" | "retry">;
  /** Where tokens are; with nothing in any, in the usual places. */
  readonly headers: readonly { readonly name: string; readonly prefix: string }[];
  readonly parameters: readonly string[];
  readonly cookies: readonly string[];
  /** What the backend is told. */
  readonly claims: readonly { readonly claim: string; readonly header: string }[];
  readonly recomputesRoute: boolean;
}

export interface JwtModel {
  readonly providers: readonly JwtProvider[];
  /** What passes beside good tokens: no token at all, or anything. */
  readonly tolerates: "nothing" | "missing" | "anything";
}

const PLACES_MAX = 64;
const CLAIMS_MAX = 64;
const TEXT_LENGTH_MAX = 256;
const AUDIENCE_LENGTH_MAX = 1024;
/** Shortest times after which keys are fetched again. */
const pausesMin = { cacheDuration: "1s", failedRefetchDuration: "100ms" } as const;
/** Key of the set in a ConfigMap, if there is such a one (Envoy Gateway). */
const JWKS_KEY = "jwks";

export const jwt: SecurityGroup<"jwt"> = {
  name: "jwt",
  follow: ({ providers, ...rest }, context) => ({
    ...rest,
    providers: providers.map(({ remoteJWKS, localJWKS, ...provider }) => ({
      ...provider,
      keys: localJWKS ? followLocal(localJWKS, context) : followRemote(remoteJWKS, context),
    })),
  }),
  plan({ providers: written, optional, failOpen }, report) {
    const names = new Set<string>();
    const providers: JwtProvider[] = [];
    let servers: NonNullable<SecurityModel["servers"]> = {};
    for (const [index, provider] of written.entries()) {
      const at: ReportFault = (field, text) => report(`providers[${index}].${field}`, text);
      if (names.has(provider.name)) at("name", `is ${provider.name}, as another one is called; rename one of them`);
      names.add(provider.name);
      judgeProvider(provider, at);
      const { keys } = provider;
      if (isFault(keys)) {
        at(keys.field, keys.fault);
        continue;
      }
      const use = `jwks/${provider.name}`;
      if ("remote" in keys) servers = { ...servers, [use]: keys.remote.server.cluster };
      providers.push(planProvider(provider, keys, use));
    }
    const tolerates = failOpen ? "anything" : optional ? "missing" : "nothing";
    return { jwt: { providers, tolerates }, ...(Object.keys(servers).length > 0 && { servers }) };
  },
};

function planProvider(
  provider: JwtProviderSettings,
  keys: Exclude<FollowedKeys, FollowFault>,
  use: string,
): JwtProvider {
  const { name, issuer = "", audiences = [], claimToHeaders = [], extractFrom = {}, recomputeRoute } = provider;
  return {
    name,
    ...(issuer !== "" && { issuer }),
    audiences,
    ...("remote" in keys ? planRemote(keys.remote, use) : { keys }),
    headers: (extractFrom.headers ?? []).map(({ name: header, valuePrefix = "" }) => ({
      name: header,
      prefix: valuePrefix,
    })),
    parameters: extractFrom.params ?? [],
    cookies: extractFrom.cookies ?? [],
    claims: claimToHeaders,
    recomputesRoute: recomputeRoute === true,
  };
}

function planRemote({ server, ...remote }: RemoteKeys, use: string): Pick<JwtProvider, "keys" | "asked"> {
  const { cluster: _, ...asked } = server;
  return { keys: { remote, use }, asked };
}

function followRemote(written: WrittenProvider["remoteJWKS"], context: FollowContext): FollowedKeys {
  if (written === undefined) return { field: "remoteJWKS", fault: "is missing; say where the keys are" };
  const url = readAddress(written.uri);
  if (isFault(url)) return { field: "remoteJWKS.uri", fault: url.fault };
  const server = followServer(url, written, context);
  if (isFault(server)) return { field: `remoteJWKS.${server.field}`, fault: server.fault };
  const { cacheDuration, failedRefetchDuration } = written;
  for (const [field, least] of Object.entries(pausesMin)) {
    const value = written[field as keyof typeof pausesMin];
    if (value === undefined || secondsOf(value) >= secondsOf(least)) continue;
    return {
      field: `remoteJWKS.${field}`,
      fault: `is ${value}, less than ${least}, so that its server had no rest; use more`,
    };
  }
  return {
    remote: {
      uri: url.href,
      server,
      ...(cacheDuration !== undefined && { cacheDuration }),
      ...(failedRefetchDuration !== undefined && { failedRefetchDuration }),
    },
  };
}

function followLocal(
  { inline, valueRef }: NonNullable<WrittenProvider["localJWKS"]>,
  { namespace, read }: FollowContext,
): FollowedKeys {
  if (valueRef === undefined) {
    const keys = readJwks(inline ?? "");
    return isFault(keys) ? { field: "localJWKS.inline", fault: keys.fault } : { local: keys };
  }
  const refuse = (fault: string): ServerFault => ({ field: "localJWKS.valueRef", fault });
  const { group, kind, name } = valueRef;
  if ((group !== "" && group !== "v1") || kind !== "ConfigMap") {
    return refuse(`names a ${kind}${group === "" ? "" : ` of group ${group}`}; only a ConfigMap can be named here`);
  }
  const key = objectKey(namespace, name);
  const configMap = read.configMap(key);
  if (configMap === undefined)
    return refuse(`names ConfigMap ${key}, which does not exist; create it, or name another`);
  const [first] = Object.keys({ ...configMap.data, ...configMap.binaryData }).sort();
  const bytes =
    configMapBytes(configMap, JWKS_KEY) ?? (first === undefined ? undefined : configMapBytes(configMap, first));
  if (bytes === undefined) return refuse(`names ConfigMap ${key}, which is empty; put the keys under ${JWKS_KEY}`);
  const keys = readJwks(bytes.toString("utf8"));
  return isFault(keys) ? refuse(`names ConfigMap ${key}, whose content ${keys.fault}`) : { local: keys };
}

/** What the schema allows and Envoy does not. */
function judgeProvider(provider: JwtProviderSettings, report: ReportFault): void {
  const { audiences = [], claimToHeaders = [], extractFrom = {} } = provider;
  const say = (field: string, fault: string | undefined) => fault !== undefined && report(field, fault);
  for (const [index, audience] of audiences.entries()) {
    say(`audiences[${index}]`, findTextFault(audience, AUDIENCE_LENGTH_MAX));
  }
  if (claimToHeaders.length > CLAIMS_MAX) report("claimToHeaders", `lists more than ${CLAIMS_MAX} claims; use fewer`);
  for (const [index, { header, claim }] of claimToHeaders.entries()) {
    say(`claimToHeaders[${index}].header`, findToldHeaderFault(header));
    say(`claimToHeaders[${index}].claim`, findTextFault(claim));
  }
  const { headers = [], params = [], cookies = [] } = extractFrom;
  if (headers.length + params.length + cookies.length > PLACES_MAX) {
    report("extractFrom", `lists more than ${PLACES_MAX} places; use fewer`);
  }
  for (const [index, { name, valuePrefix = "" }] of headers.entries()) {
    say(`extractFrom.headers[${index}].name`, findTokenFault(name, "header name"));
    say(
      `extractFrom.headers[${index}].valuePrefix`,
      findHeaderValueFault(valuePrefix) ?? (valuePrefix === "" ? undefined : findTextFault(valuePrefix)),
    );
  }
  for (const [index, name] of params.entries()) say(`extractFrom.params[${index}]`, findTextFault(name));
  for (const [index, name] of cookies.entries()) {
    say(`extractFrom.cookies[${index}]`, findTokenFault(name, "name of a cookie"));
  }
}

function findTextFault(text: string, lengthMax = TEXT_LENGTH_MAX): string | undefined {
  if (text === "") return "is empty; write something, or leave it out";
  return findLengthFault(text, lengthMax);
}
