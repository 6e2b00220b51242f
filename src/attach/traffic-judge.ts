import type { BackendTrafficSettings } from "./backend-traffic.ts";
import { parseCidr } from "./cidr.ts";
import { findValueFault, valuesOf } from "./connection-settings.ts";
import { refuseUnserved } from "./policy-fields.ts";
import type { PolicyFinding } from "./policy-model.ts";
import { judgeGlobalRules, judgeLocalRules } from "./rate-limit-judge.ts";
import { unitSeconds } from "./rate-limit-units.ts";
import { findRegexFault } from "./regex.ts";
import { judgeRequestTraffic } from "./request-traffic-judge.ts";
import { findStatNameFault } from "./routing-settings.ts";
import { judgeTracedTraffic } from "./tracing-traffic.ts";

/** Why fields are refused that others serve. */
const reasons: ReadonlyMap<string, string> = new Map([
  [
    "loadBalancer.dynamicModule",
    "names a module of compiled code, which the Envoys here are not given; use another type of loadBalancer",
  ],
  [
    "loadBalancer.zoneAware.preferLocal",
    "needs Envoys that know the zones of one another, which those of this version do not; use weightedZones, or routingType Service with a Service of trafficDistribution PreferSameZone",
  ],
]);

/** Values of a BackendTrafficPolicy that its schema allows and Envoy, or sense, does not. They hold for merged policies too. */
export function judgeTraffic(settings: BackendTrafficSettings): readonly PolicyFinding[] {
  const findings = refuseUnserved("BackendTrafficPolicy", settings, reasons);
  const report = (field: string, text: string) => findings.push({ field: `spec.${field}`, text });
  for (const [place, value] of valuesOf(settings)) {
    const text = findValueFault(place, value) ?? findZeroTime(place, value);
    if (text !== undefined) report(place, text);
  }
  judgeBalancing(settings, report);
  judgeHealth(settings, report);
  judgeLimits(settings, report);
  judgeRequestTraffic(settings, report);
  const { routingType, telemetry } = settings;
  if (routingType !== undefined && routingType !== "Service" && routingType !== "Endpoint") {
    report("routingType", `is ${routingType}; write Service or Endpoint`);
  }
  if (telemetry?.tracing) judgeTracedTraffic(telemetry.tracing, report);
  const nameFault = telemetry?.metrics?.routeStatName && findStatNameFault(telemetry.metrics.routeStatName);
  if (nameFault) report("telemetry.metrics.routeStatName", nameFault);
  const { baseInterval, maxInterval } = settings.retry?.perRetry?.backOff ?? {};
  if (maxInterval !== undefined && baseInterval === undefined) {
    report("retry.perRetry.backOff.maxInterval", "needs baseInterval beside it; write both");
  }
  const { onInvalidMessage } = settings.http2 ?? {};
  if (onInvalidMessage !== undefined && !["TerminateConnection", "TerminateStream"].includes(onInvalidMessage)) {
    report("http2.onInvalidMessage", `is ${onInvalidMessage}; write TerminateConnection or TerminateStream`);
  }
  return findings;
}

type Report = (field: string, text: string) => void;

/** Times that must not be none. */
const positiveTimes = [
  /^healthCheck\.active\.(interval|timeout)$/,
  /^healthCheck\.passive\.(interval|baseEjectionTime)$/,
  /^retry\.perRetry\.backOff\./,
  /^http2\.connectionKeepalive\.(interval|timeout|idleInterval)$/,
  /^loadBalancer\.slowStart\.window$/,
];

function findZeroTime(place: string, value: unknown): string | undefined {
  if (typeof value !== "string" || !/^(0+(h|m|s|ms))+$/.test(value)) return undefined;
  if (!positiveTimes.some((pattern) => pattern.test(place))) return undefined;
  return `is ${value}, and no time at all cannot be; use more, or leave it out`;
}

/** Envoy counts the weights of all zones together in 32 bits. */
const ZONE_WEIGHT_MAX = 1_000_000;

function judgeBalancing({ loadBalancer }: BackendTrafficSettings, report: Report): void {
  const { tableSize } = loadBalancer?.consistentHash ?? {};
  if (tableSize !== undefined && !isPrime(tableSize)) {
    report("loadBalancer.consistentHash.tableSize", `is ${tableSize}, which is no prime number; use one such as 65537`);
  }
  const weights = loadBalancer?.zoneAware?.weightedZones ?? [];
  for (const [index, { weight }] of weights.entries()) {
    if (weight >= 0 && weight <= ZONE_WEIGHT_MAX) continue;
    report(`loadBalancer.zoneAware.weightedZones[${index}].weight`, `is ${weight}; use 0 to ${ZONE_WEIGHT_MAX}`);
  }
  if (weights.length > 0 && weights.every(({ weight }) => weight === 0)) {
    report("loadBalancer.zoneAware.weightedZones", "leaves every zone that it names out; give one of them a weight");
  }
  const { reportingPeriod } = loadBalancer?.backendUtilization?.outOfBand ?? {};
  if (reportingPeriod !== undefined && /^(0+(h|m|s|ms))+$/.test(reportingPeriod)) {
    report(
      "loadBalancer.backendUtilization.outOfBand.reportingPeriod",
      `is ${reportingPeriod}, and no time at all cannot be; use more, or leave it out`,
    );
  }
  for (const [index, { header }] of (loadBalancer?.endpointOverride?.extractFrom ?? []).entries()) {
    const field = `loadBalancer.endpointOverride.extractFrom[${index}]`;
    if (header === undefined || header === "") report(field, "names no header; write one, or remove the item");
  }
}

function isPrime(number: number): boolean {
  if (number < 2) return false;
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return true;
}

/** Envoy refills the buckets of an Envoy together: none more often than the usual one. */
function judgeLimits({ rateLimit, requestBuffer, responseOverride }: BackendTrafficSettings, report: Report): void {
  judgeGlobalRules(rateLimit?.global?.rules ?? [], (selector, field) => judgeSelector(selector, field, report), report);
  const rules = rateLimit?.local?.rules ?? [];
  judgeLocalRules(rules, report);
  const isUsual = ({ clientSelectors = [] }: (typeof rules)[number]) => clientSelectors.length === 0;
  const usual = rules.find(isUsual);
  for (const [index, rule] of rules.entries()) {
    const field = `rateLimit.local.rules[${index}]`;
    const { requests, unit } = rule.limit;
    if (isUsual(rule) && rule !== usual) {
      report(field, "has no clientSelectors, as a rule before it; write selectors, or remove one of the two");
    }
    if (requests === 0) report(`${field}.limit.requests`, "is 0, and nothing would get through; use 1 or more");
    if (usual && unitSeconds[unit] % unitSeconds[usual.limit.unit] !== 0) {
      report(
        `${field}.limit.unit`,
        `is ${unit}, which the ${usual.limit.unit} of the rule without clientSelectors does not divide; use a longer unit`,
      );
    }
    for (const [number, selector] of (rule.clientSelectors ?? []).entries()) {
      judgeSelector(selector, `${field}.clientSelectors[${number}]`, report);
    }
  }
  if (requestBuffer && requestBuffer.limit === undefined) {
    report("requestBuffer.limit", "is missing; write how many bytes a request may have");
  }
  for (const [index, { match }] of (responseOverride ?? []).entries()) {
    for (const [number, { value }] of (match.responseHeaders ?? []).entries()) {
      judgeExpression(value, `responseOverride[${index}].match.responseHeaders[${number}].value`, report);
    }
  }
}

type LocalRule = NonNullable<NonNullable<NonNullable<BackendTrafficSettings["rateLimit"]>["local"]>["rules"]>[number];
type Selector = NonNullable<LocalRule["clientSelectors"]>[number];

function judgeSelector({ headers, queryParams, path, sourceCIDR }: Selector, field: string, report: Report): void {
  const valued = [
    ...(headers ?? []).map((each, index) => [each, `${field}.headers[${index}]`] as const),
    ...(queryParams ?? []).map((each, index) => [each, `${field}.queryParams[${index}]`] as const),
  ];
  for (const [each, place] of valued) {
    if (each.type === "Distinct" && each.invert) report(`${place}.invert`, "means nothing for Distinct; remove it");
    if (each.type !== "Distinct" && each.value === undefined) report(place, "has no value to compare with; write one");
    judgeExpression(each, place, report);
  }
  if (path) judgeExpression(path, `${field}.path`, report);
  if (sourceCIDR?.value !== undefined && parseCidr(sourceCIDR.value) === undefined) {
    report(`${field}.sourceCIDR.value`, `is ${sourceCIDR.value}, which is no range such as 10.0.0.0/8; write one`);
  }
  if (sourceCIDR?.invert) report(`${field}.sourceCIDR.invert`, "cannot be had of Envoy; name the ranges to count");
}

function judgeExpression(
  match: { readonly type?: string; readonly value?: string },
  field: string,
  report: Report,
): void {
  if (match.type !== "RegularExpression" || match.value === undefined) return;
  const fault = findRegexFault(match.value);
  if (fault !== undefined) report(`${field}.value`, fault);
}

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];

function judgeHealth({ healthCheck }: BackendTrafficSettings, report: Report): void {
  const method = healthCheck?.active?.http?.method;
  if (method !== undefined && !methods.includes(method.toUpperCase())) {
    report("healthCheck.active.http.method", `is ${method}; use one of ${methods.join(", ")}`);
  }
}
