import { samplingFields, spanFields } from "./envoyproxy-tracing.ts";
import { byteSize, choice, decimal, flag, integer, list, numberChoice, object, required, text } from "./schema.ts";
import {
  dnsName,
  duration,
  fraction,
  headerName,
  percent,
  responseBody,
  responseHeaders,
  stringMatch,
} from "./shared-schemas.ts";

export const faultInjection = object(
  "Makes requests slow or fail, to see what comes of it.",
  {
    delay: object("Delays requests.", {
      fixedDelay: required(duration("The delay.")),
      percentage: decimal("Part of the requests, in percent.", { default: 100 }),
    }),
    abort: object(
      "Answers requests without any backend.",
      {
        httpStatus: integer("HTTP status of the answer.", { format: "int32", minimum: 200, maximum: 600 }),
        grpcStatus: integer("gRPC status of the answer.", { format: "int32", minimum: 0, maximum: 16 }),
        percentage: decimal("Part of the requests, in percent.", { default: 100 }),
      },
      {
        rules: [
          {
            rule: "has(self.httpStatus) || has(self.grpcStatus)",
            message: "set httpStatus or grpcStatus",
          },
          {
            rule: "!(has(self.httpStatus) && has(self.grpcStatus))",
            message: "httpStatus and grpcStatus exclude one another",
          },
        ],
      },
    ),
  },
  { rules: [{ rule: "has(self.delay) || has(self.abort)", message: "set delay or abort" }] },
);

const grpcStatuses = [
  ...["Ok", "Cancelled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"],
  ...["PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented"],
  ...["Internal", "Unavailable", "DataLoss", "Unauthenticated"],
] as const;

export const admissionControl = object("Refuses part of the requests while too many fail.", {
  samplingWindow: duration("Time over which successes are counted; 30s when left out.", {
    rules: [{ rule: "duration(self) >= duration('1s')", message: "must be at least 1s" }],
  }),
  minSuccessRate: integer("Part of the requests that must succeed, in percent; 95 when left out.", {
    format: "int32",
    minimum: 1,
    maximum: 100,
  }),
  rejectionAggression: integer("How steeply refusals grow with failures; 1, linear, when left out.", {
    format: "int32",
    minimum: 1,
  }),
  minRequestRate: integer("Requests per second below which nothing is refused; 0 when left out.", {
    format: "int32",
    minimum: 0,
  }),
  maxRejectionPercent: percent("Part of the requests that may be refused, in percent; 80 when left out."),
  successCriteria: object("What counts as a success.", {
    http: object("By HTTP status; below 500 when left out.", {
      statusCodes: list("The statuses.", integer("A status.", { minimum: 100, maximum: 599 })),
    }),
    grpc: object("By gRPC status; Ok when left out.", {
      statusCodes: list("The statuses.", choice("A status.", grpcStatuses)),
    }),
  }),
});

function bandwidth() {
  return object("The limit.", {
    value: required(byteSize("Bytes in each unit of time.")),
    unit: required(choice("Unit of time.", ["Second", "Minute", "Hour"])),
  });
}

export const bandwidthLimit = object(
  "How many bytes pass.",
  {
    request: object("Limits what clients send.", { limit: required(bandwidth()) }),
    response: object("Limits what they receive.", {
      limit: required(bandwidth()),
      responseTrailers: object("Tells of delays by trailers.", {
        prefix: text("What the names of the trailers begin with.", { pattern: "^[^\\r\\n\\x00]*$" }),
      }),
    }),
  },
  { rules: [{ rule: "has(self.request) || has(self.response)", message: "set request or response" }] },
);

export function compressors(description: string) {
  return list(
    description,
    object("A way of compression.", {
      type: required(choice("The algorithm.", ["Gzip", "Brotli", "Zstd"])),
      gzip: object("Settings for type Gzip.", {}),
      brotli: object("Settings for type Brotli.", {}),
      zstd: object("Settings for type Zstd.", {}),
      minContentLength: byteSize("Bytes below which an answer stays as it is; 30 when left out."),
    }),
  );
}

export const httpUpgrade = list(
  "Upgrades that are let through; websocket when left out.",
  object(
    "An upgrade.",
    {
      type: required(text("Name of the protocol, such as websocket, or CONNECT.")),
      connect: object("For type CONNECT.", {
        terminate: flag("Connect to the backend itself, and pass on what is inside of the tunnel."),
      }),
    },
    { rules: [{ rule: "!has(self.connect) || self.type == 'CONNECT'", message: "connect is for type CONNECT only" }] },
  ),
);

const statusMatch = object(
  "Statuses.",
  {
    type: required(choice("One status or a range.", ["Value", "Range"], { default: "Value", nested: true })),
    value: integer("The status; for type Value."),
    range: object(
      "The range; for type Range.",
      {
        start: required(integer("First status.")),
        end: required(integer("Last status.")),
      },
      { rules: [{ rule: "self.end > self.start", message: "end must be above start" }] },
    ),
  },
  {
    rules: [
      { rule: "self.type != 'Value' || has(self.value)", message: "type Value needs the field value" },
      { rule: "self.type != 'Range' || has(self.range)", message: "type Range needs the field range" },
    ],
  },
);

const redirect = object("Send the client elsewhere.", {
  scheme: choice("Scheme; that of the request when left out.", ["http", "https"]),
  hostname: dnsName("Host; that of the request when left out."),
  path: object(
    "Path; that of the request when left out.",
    {
      type: required(choice("Only ReplaceFullPath can be had here.", ["ReplaceFullPath", "ReplacePrefixMatch"])),
      replaceFullPath: text("The path; for type ReplaceFullPath.", { maxLength: 1024 }),
      replacePrefixMatch: text("Not to be had here.", { maxLength: 1024 }),
    },
    {
      rules: [
        {
          rule: "self.type == 'ReplaceFullPath' && has(self.replaceFullPath) && !has(self.replacePrefixMatch)",
          message: "must be of type ReplaceFullPath, with the field replaceFullPath alone",
        },
      ],
    },
  ),
  port: integer("Port; that of the scheme when left out.", { format: "int32" }),
  statusCode: numberChoice("Status of the answer.", [301, 302], { default: 302 }),
});

export const responseOverride = list(
  "Answers to give instead of others. The first that matches counts.",
  object(
    "An answer and those that it replaces.",
    {
      match: required(
        object(
          "Answers to replace: those that match all that is given.",
          {
            statusCodes: list("Statuses, one of which it must be.", statusMatch, { minItems: 1, maxItems: 50 }),
            responseHeaders: list(
              "Headers, all of which must match.",
              object("A header.", {
                name: required(text("Name of the header.", { minLength: 1, maxLength: 256, pattern: headerName })),
                value: required(stringMatch("What the value must be.")),
              }),
              { minItems: 1, maxItems: 16 },
            ),
          },
          {
            rules: [
              {
                rule: "has(self.statusCodes) || has(self.responseHeaders)",
                message: "set statusCodes or responseHeaders",
              },
            ],
          },
        ),
      ),
      source: choice("Answers of Envoy itself, of backends, or all, which is the default.", [
        "All",
        "Local",
        "Backend",
      ]),
      response: object("Answer so.", {
        contentType: text("Content-Type of the answer."),
        body: responseBody,
        statusCode: integer("Status of the answer; that of the one replaced when left out."),
        header: responseHeaders,
      }),
      redirect,
    },
    {
      rules: [
        { rule: "has(self.response) != has(self.redirect)", message: "set exactly one of response and redirect" },
      ],
    },
  ),
);

export const telemetry = object("What is told of requests.", {
  tracing: object("Changes what the EnvoyProxy says of tracing.", {
    samplingFraction: fraction("Part of the requests to trace."),
    ...samplingFields,
    ...spanFields,
  }),
  metrics: object("Statistics.", {
    routeStatName: text(
      "Name under which the routes are counted; may hold %ROUTE_NAME%, %ROUTE_NAMESPACE%, %ROUTE_KIND% and the like.",
    ),
  }),
});
