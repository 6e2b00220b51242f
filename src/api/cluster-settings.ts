import { healthCheck } from "./cluster-settings-health.ts";
import { loadBalancer } from "./cluster-settings-load-balancer.ts";
import { byteSize, choice, flag, integer, list, object, type Rule, required, text } from "./schema.ts";
import { duration, fraction, percent } from "./shared-schemas.ts";

const UINT32_MAX = 4_294_967_295;
const ENVOY_THRESHOLD = 1024;

function threshold(description: string, options: { readonly default?: number } = {}) {
  return integer(description, { format: "int64", minimum: 0, maximum: UINT32_MAX, ...options });
}

const circuitBreaker = object("Limits of what a backend is burdened with; what is beyond fails at once.", {
  maxConnections: threshold("Connections to all endpoints.", { default: ENVOY_THRESHOLD }),
  maxPendingRequests: threshold("Requests that wait for a connection.", { default: ENVOY_THRESHOLD }),
  maxParallelRequests: threshold("Requests in flight.", { default: ENVOY_THRESHOLD }),
  maxParallelRetries: threshold("Retries in flight.", { default: ENVOY_THRESHOLD }),
  maxRequestsPerConnection: threshold("Requests after which a connection is closed; no limit when left out."),
  perEndpoint: object("Limits of each endpoint by itself.", {
    maxConnections: threshold("Connections to one endpoint.", { default: ENVOY_THRESHOLD }),
  }),
  retryBudget: object("Limits retries by the number of requests in flight; takes the place of maxParallelRetries.", {
    percent: required(fraction("Retries in flight as a part of all requests in flight.")),
    minRetryConcurrency: integer("Retries that are always allowed.", { format: "int32" }),
  }),
});

const connection = object("Sizes and number of connections to the backend.", {
  bufferLimit: byteSize("Bytes that Envoy buffers for one connection; 32Ki when left out."),
  socketBufferLimit: byteSize("Send and receive buffer of a connection's socket."),
  preconnect: object("Opens connections before a request needs them.", {
    perEndpointPercent: integer("Connections to hold for one endpoint, in percent of those that its requests need.", {
      format: "int32",
      minimum: 100,
      maximum: 300,
    }),
    predictivePercent: integer(
      "Connections to open ahead over all endpoints, in percent of those that requests need.",
      {
        format: "int32",
        minimum: 100,
      },
    ),
  }),
});

const dns = object("How the host names of endpoints are resolved.", {
  dnsRefreshRate: duration("Time between look-ups; 30s when left out."),
  lookupFamily: choice("Kind of addresses to ask for.", [
    "IPv4",
    "IPv6",
    "IPv4Preferred",
    "IPv6Preferred",
    "IPv4AndIPv6",
  ]),
  respectDnsTtl: flag("Look up again when the answer's time to live is over; true when left out."),
});

/** HTTP/2 of one side of Envoy. */
export const http2 = object("Limits of HTTP/2 connections.", {
  initialStreamWindowSize: byteSize("Flow-control window of a stream; 64Ki when left out."),
  initialConnectionWindowSize: byteSize("Flow-control window of a connection; 1Mi when left out."),
  maxConcurrentStreams: integer("Streams at a time on one connection; 100 when left out.", {
    format: "int32",
    minimum: 1,
    maximum: 2_147_483_647,
  }),
  onInvalidMessage: text("What to end when a message breaks the protocol: TerminateConnection or TerminateStream."),
  connectionKeepalive: object(
    "Pings that notice dead connections.",
    {
      interval: duration("Time between pings."),
      timeout: duration("Time to wait for the answer before the connection is closed."),
      intervalJitter: percent("Random part of the interval, in percent."),
      idleInterval: duration("Ping before a request on a connection that was idle for so long."),
    },
    {
      rules: [
        {
          rule: "!has(self.timeout) || !has(self.interval) || duration(self.timeout) < duration(self.interval)",
          message: "timeout must be shorter than interval",
        },
      ],
    },
  ),
});

const triggers = [
  ...["5xx", "gateway-error", "reset", "reset-before-request", "connect-failure", "retriable-4xx"],
  ...["refused-stream", "retriable-status-codes", "cancelled", "deadline-exceeded", "internal"],
  ...["resource-exhausted", "unavailable"],
] as const;

const retry = object("When a failed request is sent again.", {
  numRetries: integer("How often at most.", { format: "int32", minimum: 0, default: 2 }),
  numAttemptsPerPriority: integer("Attempts before endpoints of the next priority are taken.", { format: "int32" }),
  retryOn: object("What is retried.", {
    triggers: list("Failures to retry, as Envoy names them.", choice("A kind of failure.", triggers)),
    httpStatusCodes: list(
      "Statuses to retry; needs the trigger retriable-status-codes.",
      integer("A status.", { minimum: 100, maximum: 599 }),
    ),
  }),
  perRetry: object("Limits of one attempt.", {
    timeout: duration("Time that an attempt may take."),
    backOff: object("Pause before an attempt: grows from base to maximum, with jitter.", {
      baseInterval: duration("First pause."),
      maxInterval: duration("Longest pause."),
    }),
  }),
});

const timeout = object("How long to wait.", {
  tcp: object("Timeouts of connections.", {
    connectTimeout: duration("Time to open a connection; 10s when left out."),
  }),
  http: object("Timeouts of HTTP.", {
    connectionIdleTimeout: duration("Time after which a connection without requests is closed; 1h when left out."),
    maxConnectionDuration: duration("Age at which a connection is closed; no limit when left out."),
    maxStreamDuration: duration("Time that a request or stream may take from first byte to last."),
    requestTimeout: duration("Time that the whole answer may take; 15s when left out."),
    streamIdleTimeout: duration("Time without any byte after which a request or stream is ended."),
  }),
});

/** Fields that several kinds have in common: how Envoy treats a backend. */
export const clusterSettingsFields = {
  circuitBreaker,
  connection,
  dns,
  healthCheck,
  http2,
  loadBalancer,
  proxyProtocol: object("Tells the backend the client's address by the PROXY protocol.", {
    version: required(choice("Version of the protocol: V1 is text, V2 binary.", ["V1", "V2"])),
  }),
  retry,
  tcpKeepalive: object("Probes of the operating system on idle connections.", {
    idleTime: duration("Idle time before the first probe."),
    interval: duration("Time between probes."),
    probes: integer("Unanswered probes after which the connection is dead.", { format: "int32" }),
  }),
  timeout,
};

export const clusterSettingsRules: readonly Rule[] = [
  {
    rule: "!has(self.connection) || !has(self.connection.preconnect) || !has(self.connection.preconnect.predictivePercent) || (has(self.loadBalancer) && has(self.loadBalancer.type) && self.loadBalancer.type in ['Random', 'RoundRobin'])",
    message: "connection.preconnect.predictivePercent needs the load balancer RoundRobin or Random",
  },
];

/** Settings of the connections to a server that Envoy itself calls. */
export function clusterSettings(description: string) {
  return object(description, clusterSettingsFields, { rules: clusterSettingsRules });
}
