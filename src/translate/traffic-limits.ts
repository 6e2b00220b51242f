import type { RouteTraffic } from "../attach/backend-traffic.ts";
import { type Any, pack } from "../envoy/any.ts";
import type { RetryPolicy, RouteAction } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { PreviousHostsPredicate } from "../envoy/generated/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.ts";
import { PreviousPrioritiesConfig } from "../envoy/generated/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.ts";
import { parseDuration, toDuration } from "./duration.ts";
import { hashRequests } from "./filters/hash.ts";
import { allowUpgrades } from "./policy/route-filters.ts";
import { idleTimeout } from "./route-timeouts.ts";

type Retry = NonNullable<RouteTraffic["retry"]>;

/** What is retried when a policy does not say (Envoy Gateway's defaults). */
const DEFAULT_TRIGGERS = ["connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes"];
const DEFAULT_STATUSES = [503];
const DEFAULT_RETRIES = 2;
/** How often another host is looked for before a retry goes to one that has failed already. */
const HOST_SELECTION_ATTEMPTS_MAX = 5;

const previousHosts: Any = pack(PreviousHostsPredicate, {});

/**
 * Timeouts and retries of a BackendTrafficPolicy as fields of Envoy's RouteAction. What the rule itself says (HTTPRouteTimeouts,
 * HTTPRouteRetry) is laid over it.
 */
export function limitTraffic(traffic: RouteTraffic): Partial<RouteAction> {
  const { timeout, retry, consistentHash } = traffic;
  const request = parseDuration(timeout?.requestTimeout);
  const [idle, stream] = [parseDuration(timeout?.streamIdleTimeout), parseDuration(timeout?.maxStreamDuration)];
  return {
    ...(request !== undefined && { timeout: toDuration(request), idleTimeout: toDuration(idleTimeout(request)) }),
    ...(idle !== undefined && { idleTimeout: toDuration(idle) }),
    ...(stream !== undefined && { maxStreamDuration: { maxStreamDuration: toDuration(stream) } }),
    ...(retry && { retryPolicy: buildRetryPolicy(retry) }),
    ...(consistentHash && { hashPolicy: hashRequests(consistentHash) }),
    ...allowUpgrades(traffic),
  };
}

/**
 * With what the rule itself says, which wins. A rule's timeout stretches the time that a stream may be silent only where nobody says
 * how long that is.
 */
export function limitRule(traffic: RouteTraffic | undefined, own: Partial<RouteAction>): Partial<RouteAction> {
  if (traffic === undefined) return own;
  const limits = { ...limitTraffic(traffic), ...own };
  const idle = parseDuration(traffic.timeout?.streamIdleTimeout);
  return idle === undefined ? limits : { ...limits, idleTimeout: toDuration(idle) };
}

function buildRetryPolicy({ numRetries, numAttemptsPerPriority, retryOn, perRetry }: Retry): RetryPolicy {
  const { triggers, httpStatusCodes } = retryOn ?? {};
  const statuses = httpStatusCodes ?? (triggers === undefined ? DEFAULT_STATUSES : []);
  const reasons = new Set<string>(triggers ?? DEFAULT_TRIGGERS);
  // Statuses that nothing looks at would be accepted and ignored.
  if (statuses.length > 0) reasons.add("retriable-status-codes");
  const attempt = parseDuration(perRetry?.timeout);
  return {
    retryOn: [...reasons].join(","),
    numRetries: numRetries ?? DEFAULT_RETRIES,
    retriableStatusCodes: [...new Set(statuses)],
    ...(attempt !== undefined && attempt > 0 && { perTryTimeout: toDuration(attempt) }),
    ...backOff(perRetry?.backOff),
    retryHostPredicate: [{ name: "envoy.retry_host_predicates.previous_hosts", typedConfig: previousHosts }],
    hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS_MAX,
    ...(numAttemptsPerPriority !== undefined && {
      retryPriority: {
        name: "envoy.retry_priorities.previous_priorities",
        typedConfig: pack(PreviousPrioritiesConfig, { updateFrequency: numAttemptsPerPriority }),
      },
    }),
  };
}

function backOff(written: NonNullable<Retry["perRetry"]>["backOff"]): Pick<RetryPolicy, "retryBackOff"> {
  const base = parseDuration(written?.baseInterval);
  const max = parseDuration(written?.maxInterval);
  if (base === undefined) return {};
  return {
    retryBackOff: { baseInterval: toDuration(base), ...(max !== undefined && { maxInterval: toDuration(max) }) },
  };
}
