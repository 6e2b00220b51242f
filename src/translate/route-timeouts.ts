import type { HTTPRouteRule } from "../api/gateway-api.ts";
import { type Any, pack } from "../envoy/any.ts";
import type { RetryPolicy, RouteAction } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { PreviousHostsPredicate } from "../envoy/generated/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.ts";
import { parseDuration, toDuration } from "./duration.ts";

export type Timeouts = NonNullable<HTTPRouteRule["timeouts"]>;
export type Retry = NonNullable<HTTPRouteRule["retry"]>;

/** Retries when `retry` does not say how many. */
const DEFAULT_RETRIES = 1;
/** How often another host is looked for before a retry goes to one that has failed already. */
const HOST_SELECTION_ATTEMPTS_MAX = 5;
/** Envoy's own base of the back-off, and the factor of its upper bound over the base. */
const DEFAULT_BACKOFF_MS = 25;
const BACKOFF_GROWTH_MAX = 10;
/** A stream with a request timeout of its own may be silent at least this long (Envoy Gateway's rule). */
const IDLE_MIN_MS = 3_600_000;

const previousHosts: Any = pack(PreviousHostsPredicate, {});

/**
 * Timeouts and retries of an HTTPRoute rule (HTTPRouteTimeouts, HTTPRouteRetry) as fields of Envoy's RouteAction. A rule that
 * says nothing has Envoy's 15 seconds and no retries; `0s` turns a timeout off.
 */
export function limitTime(timeouts: Timeouts | undefined, retry: Retry | undefined): Partial<RouteAction> {
  const request = parseDuration(timeouts?.request);
  const attempt = parseDuration(timeouts?.backendRequest);
  const retries = retry === undefined ? 0 : (retry.attempts ?? DEFAULT_RETRIES);
  const total = totalTimeout(request, attempt, retries, retry);
  return {
    ...(total === undefined ? {} : { timeout: toDuration(total), idleTimeout: toDuration(idleTimeout(total)) }),
    ...(retry === undefined || retries === 0 ? {} : { retryPolicy: buildRetryPolicy(retry, retries, attempt) }),
  };
}

/** gRPC streams live as long as the two ends wish: the deadline is the client's affair. */
export const unlimitedTime: Partial<RouteAction> = Object.freeze({ timeout: toDuration(0) });

/**
 * Milliseconds for the whole request, retries included. Envoy's timeout of a single try ends with the response headers, the
 * Gateway API's covers the whole response; so without retries the single try is limited by the whole request, and with
 * retries but no request timeout the sum of what all tries may take is the limit.
 */
function totalTimeout(
  request: number | undefined,
  attempt: number | undefined,
  retries: number,
  retry: Retry | undefined,
): number | undefined {
  if (attempt === undefined) return request;
  if (attempt === 0) return request ?? 0;
  if (retries === 0) return request === undefined || request === 0 ? attempt : Math.min(request, attempt);
  const backoff = (parseDuration(retry?.backoff) ?? DEFAULT_BACKOFF_MS) * BACKOFF_GROWTH_MAX;
  return request ?? (retries + 1) * attempt + retries * backoff;
}

export function idleTimeout(total: number): number {
  return total === 0 ? 0 : Math.max(total, IDLE_MIN_MS);
}

function buildRetryPolicy(retry: Retry, retries: number, attempt: number | undefined): RetryPolicy {
  const codes = [...new Set(retry.codes ?? [])];
  const backoff = parseDuration(retry.backoff);
  return {
    // "reset" includes a try that ran into its timeout: HTTPRouteRetry wants connection errors retried whatever the codes.
    retryOn: [
      "connect-failure",
      "refused-stream",
      "reset",
      ...(codes.length > 0 ? ["retriable-status-codes"] : []),
    ].join(","),
    numRetries: retries,
    ...(attempt === undefined || attempt === 0 ? {} : { perTryTimeout: toDuration(attempt) }),
    retriableStatusCodes: codes,
    ...(backoff === undefined || backoff === 0
      ? {}
      : { retryBackOff: { baseInterval: toDuration(backoff), maxInterval: toDuration(backoff * BACKOFF_GROWTH_MAX) } }),
    retryHostPredicate: [{ name: "envoy.retry_host_predicates.previous_hosts", typedConfig: previousHosts }],
    hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS_MAX,
  };
}
