import { isIP } from "node:net";
import type { ClientTrafficSettings } from "./client-traffic.ts";
import { findValueFault, valuesOf } from "./connection-settings.ts";
import { secondsOf } from "./duration-seconds.ts";
import { findHeaderValueFault, findModifiedHeaderFault } from "./header-syntax.ts";
import type { PolicyFinding } from "./policy-model.ts";
import { parseQuantity } from "./quantity.ts";
import { findRegexFault } from "./regex.ts";

type Report = (field: string, text: string | undefined) => void;
type HeaderChanges = NonNullable<NonNullable<ClientTrafficSettings["headers"]>["earlyRequestHeaders"]>;

/** Values of a ClientTrafficPolicy that its schema allows and Envoy, or sense, does not. */
export function judgeClientTraffic(settings: ClientTrafficSettings): readonly PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  const report: Report = (field, text) => {
    if (text !== undefined) findings.push({ field: `spec.${field}`, text });
  };
  for (const [place, value] of valuesOf(settings)) {
    report(place, findValueFault(place, value) ?? findZeroTime(place, value) ?? findNumberFault(place, value));
  }
  const { onInvalidMessage } = settings.http2 ?? {};
  if (onInvalidMessage !== undefined && !["TerminateConnection", "TerminateStream"].includes(onInvalidMessage)) {
    report("http2.onInvalidMessage", `is ${onInvalidMessage}; write TerminateConnection or TerminateStream`);
  }
  judgeHeaders(settings, report);
  for (const [index, range] of (settings.clientIPDetection?.xForwardedFor?.trustedCIDRs ?? []).entries()) {
    report(`clientIPDetection.xForwardedFor.trustedCIDRs[${index}]`, findRangeFault(range));
  }
  judgeMatches("http1.ignoredUpgradeTypes", settings.http1?.ignoredUpgradeTypes, report);
  return findings;
}

/** Times that must not be none. */
const positiveTimes = [
  /^http2\.connectionKeepalive\.(interval|timeout|idleInterval)$/,
  /^connection\.connectionLimit\.maxConnectionDuration$/,
  /^timeout\.http\.requestHeadersReceivedTimeout$/,
];

function findZeroTime(place: string, value: unknown): string | undefined {
  if (typeof value !== "string" || !/^(0+(h|m|s|ms))+$/.test(value)) return undefined;
  if (!positiveTimes.some((pattern) => pattern.test(place))) return undefined;
  return `is ${value}, and no time at all cannot be; use more, or leave it out`;
}

/** Envoy takes so many KiB of headers at most. */
const HEADER_KIBIBYTES_MAX = 8192;
const UINT32_MAX = 2 ** 32 - 1;

/** What Linux takes, a wrong value of which would take the whole port away. */
const KEEPALIVE_SECONDS_MAX = 32_767;
const KEEPALIVE_PROBES_MAX = 127;
const SOCKET_BUFFER_BYTES_MAX = 2 ** 31 - 1;

function findNumberFault(place: string, value: unknown): string | undefined {
  if (place === "tcpKeepalive.idleTime" || place === "tcpKeepalive.interval") {
    const seconds = secondsOf(value as string);
    const fits = seconds > 0 && seconds <= KEEPALIVE_SECONDS_MAX;
    return fits ? undefined : `is ${value}; use more than no time and at most ${KEEPALIVE_SECONDS_MAX}s`;
  }
  if (place === "tcpKeepalive.probes") {
    const fits = Number(value) >= 1 && Number(value) <= KEEPALIVE_PROBES_MAX;
    return fits ? undefined : `is ${value}; use 1 to ${KEEPALIVE_PROBES_MAX}`;
  }
  if (place === "connection.socketBufferLimit") {
    const bytes = parseQuantity(value as string | number) ?? Number.NaN;
    return bytes >= 1 && bytes <= SOCKET_BUFFER_BYTES_MAX
      ? undefined
      : `is ${value}; use 1 to ${SOCKET_BUFFER_BYTES_MAX} bytes`;
  }
  if (place === "headers.maxRequestHeaderLimit") {
    const bytes = parseQuantity(value as string | number) ?? Number.NaN;
    const fits = bytes >= 1 && bytes <= HEADER_KIBIBYTES_MAX * 1024;
    return fits ? undefined : `is ${value}; use 1 byte to ${HEADER_KIBIBYTES_MAX}Ki`;
  }
  if (typeof value !== "number" || (value >= 0 && value <= UINT32_MAX)) return undefined;
  // Envoy counts connections in 64 bits.
  if (place === "connection.connectionLimit.value") return undefined;
  return `is ${value}; use 0 to ${UINT32_MAX}`;
}

function judgeHeaders({ headers }: ClientTrafficSettings, report: Report): void {
  judgeChanges("headers.earlyRequestHeaders", headers?.earlyRequestHeaders, report);
  judgeChanges("headers.lateResponseHeaders", headers?.lateResponseHeaders, report);
}

function judgeChanges(field: string, changes: HeaderChanges | undefined, report: Report): void {
  for (const list of ["set", "add", "addIfAbsent"] as const) {
    for (const [index, { name, value }] of (changes?.[list] ?? []).entries()) {
      report(`${field}.${list}[${index}].name`, findModifiedHeaderFault(name));
      report(`${field}.${list}[${index}].value`, findHeaderValueFault(value));
    }
  }
  for (const [index, name] of (changes?.remove ?? []).entries()) {
    report(`${field}.remove[${index}]`, findModifiedHeaderFault(name));
  }
  judgeMatches(`${field}.removeOnMatch`, changes?.removeOnMatch, report);
}

function judgeMatches(
  field: string,
  matches: readonly { readonly type?: string; readonly value: string }[] | undefined,
  report: Report,
): void {
  for (const [index, { type, value }] of (matches ?? []).entries()) {
    if (type === "RegularExpression") report(`${field}[${index}].value`, findRegexFault(value));
  }
}

function findRangeFault(range: string): string | undefined {
  const [address = "", length = "", ...rest] = range.split("/");
  const bits = isIP(address) === 4 ? 32 : isIP(address) === 6 && !address.includes("%") ? 128 : undefined;
  const fits = bits !== undefined && rest.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= bits;
  return fits ? undefined : `is "${range}", which is no range of addresses; write one such as 10.0.0.0/8`;
}
