import { clusterSettings } from "./cluster-settings.ts";
import { hostOrBackendRefs, OTLP_PORT } from "./envoyproxy-access-log.ts";
import { choice, flag, integer, list, map, object, required, text } from "./schema.ts";
import { backendRefFields, backendRefRules, fraction, header } from "./shared-schemas.ts";

const sampler = object(
  "Decides in the OpenTelemetry way which traces to report.",
  {
    type: required(
      choice(
        "The way of deciding.",
        [
          "AlwaysOn",
          "AlwaysOff",
          "TraceIdRatio",
          "ParentBasedAlwaysOn",
          "ParentBasedAlwaysOff",
          "ParentBasedTraceIdRatio",
        ],
        { default: "AlwaysOn" },
      ),
    ),
    samplingPercentage: fraction("Part of the traces to report; for the types with TraceIdRatio."),
  },
  {
    rules: [
      {
        rule: "!has(self.samplingPercentage) || self.type in ['TraceIdRatio', 'ParentBasedTraceIdRatio']",
        message: "samplingPercentage is for the types TraceIdRatio and ParentBasedTraceIdRatio",
      },
    ],
  },
);

const openTelemetry = object("Settings for type OpenTelemetry.", {
  host: text("Shorthand for provider.host."),
  port: integer("Shorthand for provider.port.", { format: "int32", minimum: 0, maximum: 65535 }),
  headers: list("Headers to send along, such as credentials.", header("A header."), { minItems: 1, maxItems: 32 }),
  resourceAttributes: map("Attributes of the resource that reports.", text("Value of the attribute.")),
  sampler,
});

const zipkin = object("Settings for type Zipkin.", {
  enable128BitTraceId: flag("Trace ids of 128 bits instead of 64."),
  disableSharedSpanContext: flag("Give client and server spans of their own."),
});

const provider = object(
  "Where spans are reported to.",
  {
    type: required(
      choice("Protocol of the collector.", ["OpenTelemetry", "Zipkin", "Datadog"], { default: "OpenTelemetry" }),
    ),
    ...backendRefFields,
    backendSettings: clusterSettings("Settings of the connections to the collector."),
    host: text("Host name or address of the collector; prefer backendRefs."),
    port: integer("Port of host.", { format: "int32", minimum: 0, default: OTLP_PORT }),
    serviceName: text("Name under which spans are reported; name.namespace of the Gateway when left out.", {
      rules: [{ rule: "self != ''", message: "must not be empty" }],
    }),
    openTelemetry,
    zipkin,
  },
  {
    rules: [
      {
        rule: "(has(self.openTelemetry) && has(self.openTelemetry.host)) || has(self.host) || (has(self.backendRefs) && self.backendRefs.size() > 0)",
        message: hostOrBackendRefs.message,
      },
      {
        rule: "!has(self.openTelemetry) || self.type == 'OpenTelemetry'",
        message: "openTelemetry is for type OpenTelemetry only",
      },
      {
        rule: "!has(self.openTelemetry) || !has(self.openTelemetry.host) || !has(self.host) || self.host == self.openTelemetry.host",
        message: "openTelemetry.host is a shorthand for host: write one of them",
      },
      ...backendRefRules,
    ],
  },
);

const customTag = object("A tag.", {
  type: required(
    choice("Where the value comes from.", ["Literal", "Environment", "RequestHeader"], { default: "Literal" }),
  ),
  literal: object("The value itself; for type Literal.", { value: required(text("The value.")) }),
  environment: object("An environment variable of Envoy; for type Environment.", {
    name: required(text("Name of the variable.")),
    defaultValue: text("Value when there is no such variable."),
  }),
  requestHeader: object("A header of the request; for type RequestHeader.", {
    name: required(text("Name of the header.")),
    defaultValue: text("Value when the request has no such header."),
  }),
});

/** What spans say, wherever one of our kinds configures tracing. */
export const spanFields = {
  customTags: map("Tags of every span, by name.", customTag),
  tags: map("Tags of every span, by name; values may hold Envoy's command operators.", text("The value.")),
  spanName: object("Names of spans, which may hold Envoy's command operators.", {
    client: required(text("Name of spans for requests to backends.")),
    server: required(text("Name of spans for requests from clients.")),
  }),
};

/** Upper limits beside the sampling itself, likewise. */
export const samplingFields = {
  clientSamplingFraction: fraction(
    "Part of the requests to trace of those whose client asks for it by x-client-trace-id; none when left out.",
  ),
  overallSamplingFraction: fraction("Upper limit of what is traced, whoever asked for it."),
};

export const tracing = object(
  "Reports the way of requests as spans.",
  {
    provider: required(provider),
    samplingRate: integer("Part of the requests to trace, in percent; 100 when left out.", {
      format: "int32",
      minimum: 0,
      maximum: 100,
    }),
    samplingFraction: fraction("Part of the requests to trace, finer than samplingRate."),
    ...samplingFields,
    ...spanFields,
  },
  {
    rules: [
      {
        rule: "!has(self.samplingRate) || !has(self.samplingFraction)",
        message: "samplingRate and samplingFraction exclude one another",
      },
    ],
  },
);
