import { choice, flag, integer, list, object, required, text } from "./schema.ts";
import { dnsName, duration, percent, servicePort } from "./shared-schemas.ts";

function payload(description: string) {
  return object(
    description,
    {
      type: required(choice("How the bytes are written.", ["Text", "Binary"], { nested: true })),
      text: text("The bytes as text; for type Text."),
      binary: text("The bytes in base64; for type Binary.", { format: "byte" }),
    },
    {
      rules: [
        { rule: "(self.type == 'Text') == has(self.text)", message: "text belongs to type Text, which needs it" },
        {
          rule: "(self.type == 'Binary') == has(self.binary)",
          message: "binary belongs to type Binary, which needs it",
        },
      ],
    },
  );
}

const status = () => integer("A status.", { minimum: 100, maximum: 599 });

/** What to log of active health checks, and where to. */
export const healthCheckLogFields = {
  matches: list(
    "Results to log; failures and successes both, or neither.",
    choice("FailureSeriesStart and HealthyTransition are the first of their kind.", [
      "Failure",
      "FailureSeriesStart",
      "Success",
      "HealthyTransition",
    ]),
    {
      maxItems: 4,
      set: true,
      rules: [
        {
          rule: "self.exists(m, m in ['Failure', 'FailureSeriesStart']) == self.exists(m, m in ['Success', 'HealthyTransition'])",
          message: "name a kind of failure and a kind of success, or neither",
        },
      ],
    },
  ),
  sinks: list(
    "Where to log.",
    object(
      "A place to log to.",
      {
        type: required(choice("Kind of the place.", ["File"])),
        file: object("A file in Envoy's container; for type File.", {
          path: required(text("Path of the file; /dev/stdout is Envoy's output.", { minLength: 1 })),
        }),
      },
      { rules: [{ rule: "(self.type == 'File') == has(self.file)", message: "type File needs the field file" }] },
    ),
    { maxItems: 1 },
  ),
};

const http = object(
  "Asks by HTTP; for type HTTP.",
  {
    path: required(text("Path to ask for.", { minLength: 1, maxLength: 1024 })),
    method: text("Method; GET when left out.", { maxLength: 16 }),
    hostname: dnsName("Host to ask for."),
    expectedStatuses: list("Statuses that mean healthy; 200 when left out.", status()),
    retriableStatuses: list("Statuses that count as failure only when unhealthyThreshold is reached.", status()),
    expectedResponse: payload("What the answer's body must contain."),
    requestBody: payload("Body to send."),
  },
  {
    rules: [
      {
        rule: "!has(self.requestBody) || (has(self.method) && self.method.upperAscii() in ['POST', 'PUT'])",
        message: "requestBody needs the method POST or PUT",
      },
    ],
  },
);

const active = object(
  "Asks each endpoint from time to time whether it is well.",
  {
    type: required(choice("How to ask.", ["HTTP", "TCP", "GRPC"], { nested: true })),
    http,
    tcp: object("Sends bytes and compares the answer; for type TCP.", {
      send: payload("What to send; nothing when left out: connecting is enough."),
      receive: payload("What the answer must contain."),
    }),
    grpc: object("Asks by the gRPC health protocol; for type GRPC.", {
      service: text("Service to ask about; the server as a whole when left out."),
    }),
    interval: duration("Time between questions.", { default: "3s" }),
    timeout: duration("Time to wait for an answer.", { default: "1s" }),
    initialJitter: duration("Random delay of the first question."),
    healthyThreshold: integer("Successes in a row that make an endpoint healthy.", {
      format: "int32",
      minimum: 1,
      default: 1,
    }),
    unhealthyThreshold: integer("Failures in a row that make an endpoint unhealthy.", {
      format: "int32",
      minimum: 1,
      default: 3,
    }),
    overrides: object("Where to ask instead of the endpoint itself.", {
      port: servicePort("Port to ask."),
    }),
    healthCheckLog: object("Logs results.", healthCheckLogFields),
  },
  {
    rules: [
      { rule: "(self.type == 'HTTP') == has(self.http)", message: "http belongs to type HTTP, which needs it" },
      { rule: "(self.type == 'TCP') == has(self.tcp)", message: "tcp belongs to type TCP, which needs it" },
      { rule: "!has(self.grpc) || self.type == 'GRPC'", message: "grpc is only for type GRPC" },
    ],
  },
);

const count = (description: string, options: { readonly default?: number } = {}) =>
  integer(description, { format: "int32", ...options });

export const passive = object("Takes endpoints out that answer badly.", {
  consecutive5XxErrors: count("Answers of 5xx in a row.", { default: 5 }),
  consecutiveGatewayErrors: count("Answers of 502, 503 or 504 in a row."),
  consecutiveLocalOriginFailures: count("Failures to connect or time-outs in a row.", { default: 5 }),
  splitExternalLocalOriginErrors: flag("Count failures to connect apart from bad answers.", { default: false }),
  interval: duration("Time between looks at the counts.", { default: "3s" }),
  baseEjectionTime: duration("How long an endpoint is out the first time; grows with each.", { default: "30s" }),
  maxEjectionPercent: integer("Part of the endpoints that may be out at a time, in percent.", {
    format: "int32",
    minimum: 0,
    maximum: 100,
    default: 10,
  }),
  alwaysEjectOneEndpoint: flag("One endpoint may always be out, whatever maxEjectionPercent says.", { default: false }),
  failurePercentageThreshold: percent("Part of an endpoint's answers that may be failures, in percent."),
});

export const healthCheck = object("Finds out which endpoints are well.", {
  active,
  passive,
  panicThreshold: percent("Below this part of healthy endpoints all are used, in percent; 50 when left out."),
});
