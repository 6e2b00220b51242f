import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { ProxyFinding } from "./envoy-proxy.ts";
import { parseQuantity } from "./quantity.ts";

type Tracing = NonNullable<NonNullable<EnvoyProxySpec["telemetry"]>["tracing"]>;
/** `backendSettings`, as every server that Envoy calls has them. */
export type BackendSettings = NonNullable<Tracing["provider"]["backendSettings"]>;

/** What clusters are made of, with its keys in a fixed order. Of servers that Envoy itself calls it is what is {@link implemented}. */
export interface ConnectionSettings
  extends Pick<
    BackendSettings,
    | "circuitBreaker"
    | "connection"
    | "dns"
    | "healthCheck"
    | "http2"
    | "loadBalancer"
    | "proxyProtocol"
    | "tcpKeepalive"
    | "timeout"
  > {
  /** Speak the client's version of HTTP. */
  readonly useClientProtocol?: true;
  /** Upper and lower case of header names stay as they are. */
  readonly preserveHeaderCase?: true;
  /** How Services are reached, whatever the EnvoyProxy says; it shows in what a cluster reaches. */
  readonly routingType?: string;
}

const implemented: ReadonlySet<string> = new Set([
  ...["maxConnections", "maxPendingRequests", "maxParallelRequests"].map((field) => `circuitBreaker.${field}`),
  ...["circuitBreaker.maxParallelRetries", "circuitBreaker.maxRequestsPerConnection"],
  ...["circuitBreaker.perEndpoint.maxConnections", "connection.bufferLimit"],
  ...["dns.dnsRefreshRate", "dns.lookupFamily", "dns.respectDnsTtl"],
  ...["http2.initialStreamWindowSize", "http2.initialConnectionWindowSize", "http2.maxConcurrentStreams"],
  ...["tcpKeepalive.idleTime", "tcpKeepalive.interval", "tcpKeepalive.probes"],
  ...["timeout.tcp.connectTimeout", "timeout.http.connectionIdleTimeout", "timeout.http.maxConnectionDuration"],
]);

/** What a server is like, as far as settings depend on it. */
interface ServerTraits {
  readonly resolvesNames: boolean;
  readonly speaksHttp2: boolean;
}

/** @param field where the settings stand */
export function planConnection(
  settings: BackendSettings,
  field: string,
  { resolvesNames, speaksHttp2 }: ServerTraits,
): ConnectionSettings | ProxyFinding {
  const report = (place: string, text: string): ProxyFinding => ({ field: `${field}.${place}`, text });
  for (const [leaf] of valuesOf(settings)) {
    if (!implemented.has(leaf)) {
      return report(leaf, "is not implemented in this version for a server that Envoy itself calls; remove it");
    }
  }
  for (const [place, value] of valuesOf(settings)) {
    const text = findValueFault(place, value);
    if (text !== undefined) return report(place, text);
  }
  if (settings.dns !== undefined && !resolvesNames) {
    return report("dns", "is about host names, and this server is reached by addresses; remove it");
  }
  if (settings.http2 !== undefined && !speaksHttp2) {
    return report("http2", "is about HTTP/2, and this server is called by HTTP/1.1; remove it");
  }
  return sortKeys(settings) as ConnectionSettings;
}

/** Of HTTP/2 (RFC 9113, section 6.9): below its own start value a window cannot be asked for. */
const WINDOW_BYTES_MIN = 65_535;
const WINDOW_BYTES_MAX = 2 ** 31 - 1;
/** Envoy counts bytes in 32 bits. */
const BUFFER_BYTES_MAX = 2 ** 32 - 1;

/** What Envoy would refuse of a value that the schema allows. */
export function findValueFault(place: string, value: unknown): string | undefined {
  if (typeof value === "string" && /^(0+(h|m|s|ms))+$/.test(value) && /connectTimeout|dnsRefreshRate/.test(place)) {
    return `is ${value}, and no time at all cannot be; use more, or leave it out`;
  }
  const isWindow = place.endsWith("WindowSize");
  if (!isWindow && place !== "connection.bufferLimit") return undefined;
  const bytes = parseQuantity(value as string | number) ?? Number.NaN;
  const [min, max] = isWindow ? [WINDOW_BYTES_MIN, WINDOW_BYTES_MAX] : [0, BUFFER_BYTES_MAX];
  return bytes >= min && bytes <= max ? undefined : `is ${value}; use ${min} to ${max} bytes`;
}

/** Every value with the path of its field. */
export function* valuesOf(settings: object, path = ""): Generator<readonly [string, unknown]> {
  for (const [key, inside] of Object.entries(settings)) {
    const place = path === "" ? key : `${path}.${key}`;
    if (typeof inside === "object" && inside !== null && !Array.isArray(inside)) yield* valuesOf(inside, place);
    else yield [place, inside];
  }
}

/** Equal settings are equal texts, whatever order they were written in: a cluster's name is made of them. */
export function sortKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inside]) => [key, sortKeys(inside)]),
  );
}
