import { findHostnameFault, findIpFault, isIpAddress } from "../address.ts";
import { buildClusterSpec, type ClusterSettings, HOST_GROUP, type SecretUse } from "../cluster-spec.ts";
import { type CollectorReference, findServer } from "../collector.ts";
import { type BackendSettings, planConnection, valuesOf } from "../connection-settings.ts";
import type { ClusterReach, ClusterSpec } from "../model.ts";
import type { ResolveReader } from "../resolve-reader.ts";
import type { FollowContext, FollowFault } from "./model.ts";

/** A server that Envoy asks, and how it is asked. Texts of durations. */
export interface AskedServer {
  readonly cluster: ClusterSpec;
  /** How long an answer may take; undefined: the usual. */
  readonly timeout?: string;
  readonly retry?: {
    readonly times: number;
    /** Pauses between, the first and the longest. */
    readonly pause?: string;
    readonly pauseMax?: string;
  };
}

/** In place of a server: what is wrong with which field, below the one that names the server. */
export interface ServerFault extends FollowFault {
  readonly field: string;
}

export interface ServerReference {
  readonly backendRefs?: CollectorReference["backendRefs"];
  readonly backendSettings?: BackendSettings;
}

/** How often is tried again where nothing else is said (`retry.numRetries` in the catalogue of fields). */
const RETRIES = 2;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** The address of a server that speaks HTTP; otherwise why it is none, as the end of a sentence that begins with the field. */
export function readAddress(text: string): URL | FollowFault {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || DEFAULT_PORTS[url.protocol] === undefined || url.hostname === "") {
    return { fault: "is no address of a server that speaks HTTP; write https://, a host and a path" };
  }
  if (url.username !== "" || url.password !== "") {
    return { fault: "holds credentials, which everybody can read there; take them out" };
  }
  url.hash = "";
  return url;
}

/**
 * The server at an address or, where backendRefs say so, behind them.
 *
 * @param secrets that Envoy needs whenever it asks this server
 */
export function followServer(
  url: URL,
  { backendRefs = [], backendSettings }: ServerReference,
  context: FollowContext,
  secrets: readonly SecretUse[] = [],
): AskedServer | ServerFault {
  const found = backendRefs.length === 0 ? findHost(url, context.read) : findBackends(url, backendRefs, context);
  if ("fault" in found) return found;
  const { reach } = found;
  const settings = { ...found.settings, ...(secrets.length > 0 && { secrets }) };
  if (backendSettings === undefined) return { cluster: buildClusterSpec(reach, settings) };
  return ask(reach, settings, backendSettings);
}

/**
 * The server behind backendRefs, which has no address of its own.
 *
 * @param protocol undefined: what the backends say
 */
export function followBackends(
  { backendRefs = [], backendSettings }: ServerReference,
  protocol: ClusterSpec["protocol"] | undefined,
  context: FollowContext,
): AskedServer | ServerFault {
  const found = findBackends({ protocol: "http:" }, backendRefs, context);
  if ("fault" in found) return found;
  const settings = { ...found.settings, ...(protocol && { protocol }) };
  if (backendSettings === undefined) return { cluster: buildClusterSpec(found.reach, settings) };
  return ask(found.reach, settings, backendSettings);
}

type Found = { readonly reach: ClusterReach; readonly settings: ClusterSettings };

function findBackends(
  { protocol }: Pick<URL, "protocol">,
  written: NonNullable<ServerReference["backendRefs"]>,
  { namespace, read }: FollowContext,
): Found | ServerFault {
  const found = findServer("SecurityPolicy", written, "", namespace, read, new Set());
  if ("field" in found) return { field: found.field.replace(/^\./, ""), fault: found.text };
  const { reach, settings } = found;
  const refuse = (fault: string): ServerFault => ({ field: "backendRefs", fault });
  if (reach.kind === "DynamicResolver")
    return refuse("leads to a DynamicResolver, which only requests can use; name a backend with endpoints");
  if (reach.kind === "Fallback" && reach.members.some(({ weight }) => weight === 0)) {
    return refuse("names a backend with weight 0, which nobody asks; leave it out");
  }
  if (protocol === "https:" && settings.tls === undefined) {
    return refuse(
      "leads to a backend without TLS, and the address begins with https; create a BackendTLSPolicy for it, or write http",
    );
  }
  return { reach, settings };
}

function findHost(url: URL, { settings: { hostInfrastructure } }: ResolveReader): Found | ServerFault {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const secure = url.protocol === "https:";
  const fault = isIpAddress(host)
    ? findIpFault(host, hostInfrastructure)
    : findHostnameFault(host, hostInfrastructure, 1);
  if (fault !== undefined) return { field: "uri", fault: `has a host that ${fault.message}` };
  if (secure && isIpAddress(host)) {
    const text =
      "is https at an IP address, for which no certificate is checked; write a host name, or use backendRefs";
    return { field: "uri", fault: text };
  }
  const port = url.port === "" ? (DEFAULT_PORTS[url.protocol] as number) : Number(url.port);
  const endpoints = [{ address: { host, port }, hostname: host, priority: 0 }];
  const reach: ClusterReach = { kind: "Dns", group: HOST_GROUP, key: `${host}:${port}`, endpoints };
  const tls = { sni: host, autoSniFromEndpointHostname: false, insecureSkipVerify: false, trust: "System" } as const;
  return { reach, settings: { protocol: "http1", ...(secure && { tls }) } };
}

/** Retries and the time for an answer belong to the request, everything else to the connections. */
const ofRequests: ReadonlySet<string> = new Set([
  ...["retry.numRetries", "retry.perRetry.backOff.baseInterval", "retry.perRetry.backOff.maxInterval"],
  "timeout.http.requestTimeout",
]);

const RETRIES_MAX = 10;

function findRetryFault(retry: BackendSettings["retry"]): ServerFault | undefined {
  const { baseInterval, maxInterval } = retry?.perRetry?.backOff ?? {};
  const at = (place: string, fault: string): ServerFault => ({ field: `backendSettings.retry.${place}`, fault });
  if ((retry?.numRetries ?? 0) > RETRIES_MAX) return at("numRetries", `is more than ${RETRIES_MAX}; use fewer`);
  if (maxInterval !== undefined && baseInterval === undefined) {
    return at("perRetry.backOff.maxInterval", "needs baseInterval beside it; write both");
  }
  for (const [field, value] of Object.entries({ baseInterval, maxInterval })) {
    if (value === undefined || !/^(0+(h|m|s|ms))+$/.test(value)) continue;
    return at(`perRetry.backOff.${field}`, `is ${value}, and no time at all cannot be; use more, or leave it out`);
  }
  return undefined;
}

function ask(reach: ClusterReach, settings: ClusterSettings, written: BackendSettings): AskedServer | ServerFault {
  const { retry, timeout, ...others } = written;
  const { requestTimeout, ...ofConnections } = timeout?.http ?? {};
  for (const [place] of valuesOf({ ...(retry && { retry }) })) {
    if (ofRequests.has(place)) continue;
    return {
      field: `backendSettings.${place}`,
      fault: "is not implemented in this version for this server; remove it",
    };
  }
  const http = Object.keys(ofConnections).length > 0 && { http: ofConnections };
  const kept = { ...(timeout?.tcp && { tcp: timeout.tcp }), ...http };
  const fault = findRetryFault(retry);
  if (fault !== undefined) return fault;
  const connection = planConnection(
    { ...others, ...(Object.keys(kept).length > 0 && { timeout: kept }) },
    "backendSettings",
    { resolvesNames: reach.kind === "Dns" || reach.kind === "DnsFallback", speaksHttp2: settings.protocol === "http2" },
  );
  if ("field" in connection) return { field: connection.field, fault: connection.text };
  const { baseInterval, maxInterval } = retry?.perRetry?.backOff ?? {};
  const isUsual = Object.keys(connection).length === 0;
  return {
    cluster: buildClusterSpec(reach, { ...settings, ...(!isUsual && { connection }) }),
    ...(requestTimeout !== undefined && { timeout: requestTimeout }),
    ...(retry && {
      retry: {
        times: retry.numRetries ?? RETRIES,
        ...(baseInterval !== undefined && { pause: baseInterval }),
        ...(maxInterval !== undefined && { pauseMax: maxInterval }),
      },
    }),
  };
}
