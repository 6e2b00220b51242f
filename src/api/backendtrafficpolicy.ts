import {
  admissionControl,
  bandwidthLimit,
  compressors,
  faultInjection,
  httpUpgrade,
  responseOverride,
  telemetry,
} from "./backendtrafficpolicy-http.ts";
import { rateLimit } from "./backendtrafficpolicy-rate-limit.ts";
import { clusterSettingsFields, clusterSettingsRules } from "./cluster-settings.ts";
import { passive } from "./cluster-settings-health.ts";
import { allTargetsAre, mergeType, policyColumns, policyStatus, targetFields, targetRules } from "./policy-targets.ts";
import { byteSize, defineKind, extend, flag, integer, type ObjectOf, object, text } from "./schema.ts";
import { duration } from "./shared-schemas.ts";

const httpRoutes = ["HTTPRoute", "GRPCRoute"];
const routes = [...httpRoutes, "TCPRoute", "UDPRoute", "TLSRoute"];
const gateways = ["Gateway", "ListenerSet"];

/** Settings of clusters with the shorthands for them (`attach/policy-shorthands.ts`). */
const { circuitBreaker, healthCheck, retry, timeout, ...otherSettings } = clusterSettingsFields;
const limit = (description: string) => integer(description, { format: "int64", minimum: 0, maximum: 4_294_967_295 });
const settings = {
  ...otherSettings,
  circuitBreaker: extend(circuitBreaker, {
    maxRequests: limit("Shorthand for maxParallelRequests."),
    maxRetries: limit("Shorthand for maxParallelRetries."),
  }),
  healthCheck: extend(healthCheck, {
    passive: extend(passive, {
      consecutive5xxErrors: integer("Shorthand for consecutive5XxErrors.", { format: "int32" }),
    }),
  }),
  retry: extend(retry, { perRetryTimeout: duration("Shorthand for perRetry.timeout.") }),
  timeout: extend(timeout, {
    request: duration("Shorthand for http.requestTimeout."),
    backendRequest: duration("Shorthand for retry.perRetry.timeout: the time that one attempt may take."),
  }),
  connectionPool: object("Shorthand for circuitBreaker and timeout.http.connectionIdleTimeout.", {
    maxConnections: limit("Shorthand for circuitBreaker.maxConnections."),
    maxPendingRequests: limit("Shorthand for circuitBreaker.maxPendingRequests."),
    maxRequestsPerConnection: limit("Shorthand for circuitBreaker.maxRequestsPerConnection; 0 is no limit."),
    idleTimeout: duration("Shorthand for timeout.http.connectionIdleTimeout."),
  }),
};

const spec = object(
  "What to do with requests to backends.",
  {
    ...targetFields,
    mergeType,
    ...settings,
    rateLimit,
    faultInjection,
    admissionControl,
    bandwidthLimit,
    useClientProtocol: flag("Speak to the backend the version of HTTP that the client speaks."),
    compression: compressors("Not used any more: write compressor."),
    compressor: compressors("Compress answers, with the first of these that the client takes."),
    responseOverride,
    httpUpgrade,
    requestBuffer: object("Take requests as a whole before they go to the backend.", {
      limit: byteSize("Bytes that a request may have; what is larger is answered with 413."),
    }),
    telemetry,
    routingType: text(
      "Endpoint sends to the endpoints of a Service, Service to its cluster address; as the EnvoyProxy says when left out.",
    ),
  },
  {
    rules: [
      ...targetRules([...gateways, ...routes]),
      {
        rule: `!has(self.mergeType) || (${allTargetsAre(routes)})`,
        message: "mergeType is for policies of routes only",
      },
      {
        rule: "!has(self.compression) || !has(self.compressor)",
        message: "compression is the older name of compressor: write one of them",
      },
      {
        rule: "!has(self.requestBuffer) || !has(self.httpUpgrade) || self.httpUpgrade.size() == 0",
        message: "requestBuffer and httpUpgrade exclude one another: an upgraded connection has no end to wait for",
      },
      {
        rule: `!has(self.admissionControl) || (${allTargetsAre([...gateways, ...httpRoutes])})`,
        message: "admissionControl is not for TCPRoute, UDPRoute and TLSRoute",
      },
      ...clusterSettingsRules,
    ],
  },
);

export const backendTrafficPolicyDefinition = defineKind({
  group: "gateway.envoyproxy.io",
  version: "v1alpha1",
  kind: "BackendTrafficPolicy",
  plural: "backendtrafficpolicies",
  shortNames: ["btp"],
  categories: ["envoy-gateway"],
  description: "How Envoy treats requests to backends: their balancing, limits, failures and answers.",
  printerColumns: policyColumns,
  spec,
  status: policyStatus,
});

/** Settings of the side of backends that attach to routes and Gateways, group `gateway.envoyproxy.io`. */
export type BackendTrafficPolicy = ObjectOf<typeof backendTrafficPolicyDefinition>;
