import type { BackendTrafficSettings } from "./backend-traffic.ts";
import { findHeaderNameFault, findHeaderValueFault } from "./header-syntax.ts";
import { parseQuantity } from "./quantity.ts";

type Report = (field: string, text: string) => void;
type Fault = NonNullable<BackendTrafficSettings["faultInjection"]>;
type Override = NonNullable<BackendTrafficSettings["responseOverride"]>[number];
type LocalRule = NonNullable<NonNullable<NonNullable<BackendTrafficSettings["rateLimit"]>["local"]>["rules"]>[number];

/** Envoy counts the bytes of a message in 32 bits. */
const BUFFER_BYTES_MAX = 2 ** 32 - 1;
/** Far above any line, and below where numbers of bytes are no longer exact. */
const BANDWIDTH_BYTES_MAX = Number.MAX_SAFE_INTEGER;
/** Envoy's limit of what one request may count. */
const COST_MAX = 1_000_000_000;
const PORT_MAX = 65_535;
const STATUS_MAX = 599;
/** Below it an answer is not the last one of a request (RFC 9110, section 15.2). */
const FINAL_STATUS_MIN = 200;
const PERCENT_MAX = 100;

/**
 * Values of the fields about requests that the published schema allows, and that Envoy would refuse, together with all routes of the
 * listener, or that cannot be written for it at all.
 */
export function judgeRequestTraffic(settings: BackendTrafficSettings, report: Report): void {
  if (settings.faultInjection) judgeFault(settings.faultInjection, report);
  for (const [index, rule] of (settings.rateLimit?.local?.rules ?? []).entries()) {
    judgeLocalCost(rule, `rateLimit.local.rules[${index}]`, report);
  }
  for (const scope of ["local", "global"] as const) {
    for (const [index, rule] of (settings.rateLimit?.[scope]?.rules ?? []).entries()) {
      judgeCost(rule, `rateLimit.${scope}.rules[${index}]`, report);
      judgeNames(rule, `rateLimit.${scope}.rules[${index}]`, report);
    }
  }
  const within = inRange(report);
  const { requestBuffer, bandwidthLimit } = settings;
  within("requestBuffer.limit", bytesOf(requestBuffer?.limit), [1, BUFFER_BYTES_MAX]);
  for (const way of ["request", "response"] as const) {
    within(`bandwidthLimit.${way}.limit.value`, bytesOf(bandwidthLimit?.[way]?.limit.value), [1, BANDWIDTH_BYTES_MAX]);
  }
  judgeCompressors(settings.compressor ?? [], report);
  for (const [index, override] of (settings.responseOverride ?? []).entries()) {
    judgeOverride(override, `responseOverride[${index}]`, report);
  }
  for (const [index, { type }] of (settings.httpUpgrade ?? []).entries()) {
    // A protocol's name may have a version behind a slash.
    const isName = type.split("/").every((part) => findHeaderNameFault(part) === undefined);
    if (!isName)
      report(`httpUpgrade[${index}].type`, `is "${type}", which is no protocol; write one such as websocket`);
  }
}

/** There is one compressor of each kind. */
function judgeCompressors(compressors: NonNullable<BackendTrafficSettings["compressor"]>, report: Report): void {
  const lengths = new Map<string, number | undefined>();
  for (const [index, { type, minContentLength }] of compressors.entries()) {
    const bytes = bytesOf(minContentLength);
    inRange(report)(`compressor[${index}].minContentLength`, bytes, [0, BUFFER_BYTES_MAX]);
    if (lengths.has(type) && lengths.get(type) !== bytes) {
      report(
        `compressor[${index}].minContentLength`,
        `differs from that of the other ${type}; write one of the two entries`,
      );
    }
    lengths.set(type, bytes);
  }
}

type Range = readonly [min: number, max: number];

function inRange(report: Report) {
  return (field: string, value: number | undefined, [min, max]: Range) => {
    if (value === undefined || (value >= min && value <= max)) return;
    report(field, `is ${value}; use ${min} to ${max}`);
  };
}

function bytesOf(quantity: string | number | undefined): number | undefined {
  return quantity === undefined ? undefined : parseQuantity(quantity);
}

function judgeFault({ delay, abort }: Fault, report: Report): void {
  if (delay && /^(0+(h|m|s|ms))+$/.test(delay.fixedDelay)) {
    report("faultInjection.delay.fixedDelay", `is ${delay.fixedDelay}, and no time at all is no delay; use more`);
  }
  const within = inRange(report);
  within("faultInjection.delay.percentage", delay?.percentage, [0, PERCENT_MAX]);
  within("faultInjection.abort.percentage", abort?.percentage, [0, PERCENT_MAX]);
  within("faultInjection.abort.httpStatus", abort?.httpStatus, [FINAL_STATUS_MIN, STATUS_MAX]);
}

function judgeLocalCost({ cost, clientSelectors = [] }: LocalRule, field: string, report: Report): void {
  if (cost?.request !== undefined && clientSelectors.length === 0) {
    report(`${field}.cost`, "is for rules with clientSelectors; write a selector, such as the path /, or remove it");
  }
}

function judgeCost({ cost }: LocalRule, field: string, report: Report): void {
  for (const when of ["request", "response"] as const) {
    const { from, number, metadata } = cost?.[when] ?? {};
    if (from === "Number" && number === undefined) report(`${field}.cost.${when}`, "has no number; write one");
    if (from === "Metadata" && metadata === undefined) report(`${field}.cost.${when}`, "has no metadata; write it");
    inRange(report)(`${field}.cost.${when}.number`, number, [0, COST_MAX]);
  }
}

function judgeNames({ clientSelectors = [] }: LocalRule, rule: string, report: Report): void {
  for (const [index, { headers = [] }] of clientSelectors.entries()) {
    for (const [number, { name }] of headers.entries()) {
      // Those of HTTP/2 such as :authority are headers for Envoy.
      const fault = findHeaderNameFault(name.replace(/^:/, ""));
      if (fault) report(`${rule}.clientSelectors[${index}].headers[${number}].name`, fault);
    }
  }
}

function judgeOverride({ match, response, redirect }: Override, field: string, report: Report): void {
  const within = inRange(report);
  for (const [index, { value, range }] of (match.statusCodes ?? []).entries()) {
    const place = `${field}.match.statusCodes[${index}]`;
    within(`${place}.value`, value, [FINAL_STATUS_MIN, STATUS_MAX]);
    within(`${place}.range.start`, range?.start, [FINAL_STATUS_MIN, STATUS_MAX]);
    within(`${place}.range.end`, range?.end, [FINAL_STATUS_MIN, STATUS_MAX]);
  }
  within(`${field}.response.statusCode`, response?.statusCode, [FINAL_STATUS_MIN, STATUS_MAX]);
  within(`${field}.redirect.port`, redirect?.port, [1, PORT_MAX]);
  const path = redirect?.path?.replaceFullPath;
  if (path !== undefined && !path.startsWith("/")) {
    report(`${field}.redirect.path.replaceFullPath`, "does not begin with a slash; write one before it");
  }
  const texts: readonly (readonly [string, string | undefined])[] = [
    [`${field}.response.contentType`, response?.contentType],
    [`${field}.redirect.path.replaceFullPath`, path],
    ...(["set", "add"] as const).flatMap((way) =>
      (response?.header?.[way] ?? []).map(
        ({ value }, index) => [`${field}.response.header.${way}[${index}].value`, value] as const,
      ),
    ),
  ];
  for (const [place, value] of texts) {
    const fault = value === undefined ? undefined : findHeaderValueFault(value);
    if (fault) report(place, fault);
  }
}
