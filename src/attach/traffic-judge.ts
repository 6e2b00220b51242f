import type { BackendTrafficSettings } from "./backend-traffic.ts";
import { findValueFault, valuesOf } from "./connection-settings.ts";
import { findUnservedFields } from "./policy-fields.ts";
import type { PolicyFinding } from "./policy-model.ts";

/** Values of a BackendTrafficPolicy that its schema allows and Envoy, or sense, does not. They hold for merged policies too. */
export function judgeTraffic(settings: BackendTrafficSettings): readonly PolicyFinding[] {
  const findings: PolicyFinding[] = findUnservedFields("BackendTrafficPolicy", settings).map((field) => ({
    field: `spec.${field}`,
    text: "is not implemented in this version; remove it",
  }));
  const report = (field: string, text: string) => findings.push({ field: `spec.${field}`, text });
  for (const [place, value] of valuesOf(settings)) {
    const text = findValueFault(place, value) ?? findZeroTime(place, value);
    if (text !== undefined) report(place, text);
  }
  judgeBalancing(settings, report);
  judgeHealth(settings, report);
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

function judgeBalancing({ loadBalancer }: BackendTrafficSettings, report: Report): void {
  const { tableSize } = loadBalancer?.consistentHash ?? {};
  if (tableSize !== undefined && !isPrime(tableSize)) {
    report("loadBalancer.consistentHash.tableSize", `is ${tableSize}, which is no prime number; use one such as 65537`);
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

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];

function judgeHealth({ healthCheck }: BackendTrafficSettings, report: Report): void {
  const method = healthCheck?.active?.http?.method;
  if (method !== undefined && !methods.includes(method.toUpperCase())) {
    report("healthCheck.active.http.method", `is ${method}; use one of ${methods.join(", ")}`);
  }
}
