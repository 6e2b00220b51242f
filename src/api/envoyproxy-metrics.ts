import { clusterSettings } from "./cluster-settings.ts";
import { healthCheckLogFields } from "./cluster-settings-health.ts";
import { accessLog, hostOrBackendRefs, OTLP_PORT } from "./envoyproxy-access-log.ts";
import { tracing } from "./envoyproxy-tracing.ts";
import { byteSize, choice, flag, integer, list, map, object, required, text } from "./schema.ts";
import { backendRefFields, backendRefRules, header } from "./shared-schemas.ts";

const openTelemetry = object(
  "An OpenTelemetry collector reached by gRPC.",
  {
    ...backendRefFields,
    backendSettings: clusterSettings("Settings of the connections to the collector."),
    host: text("Host name or address of the collector; prefer backendRefs."),
    port: integer("Port of host.", { format: "int32", minimum: 0, maximum: 65535, default: OTLP_PORT }),
    headers: list("Headers to send along, such as credentials.", header("A header."), { minItems: 1, maxItems: 32 }),
    reportCountersAsDeltas: flag("Report counters as the difference to the last report."),
    reportHistogramsAsDeltas: flag("Report histograms as the difference to the last report."),
    resourceAttributes: map("Attributes of the resource that reports.", text("Value of the attribute.")),
  },
  { rules: [hostOrBackendRefs, ...backendRefRules] },
);

const prometheus = object("The page /stats/prometheus on port 19001 of every Envoy.", {
  disable: flag("Do not serve the page."),
  compression: object("Compresses the page.", {
    type: required(choice("How.", ["Gzip", "Brotli", "Zstd"])),
    gzip: object("Settings for type Gzip.", {}),
    brotli: object("Settings for type Brotli.", {}),
    zstd: object("Settings for type Zstd.", {}),
    minContentLength: byteSize("Smallest answer that is compressed; 30 bytes when left out."),
  }),
});

const metrics = object("Figures that Envoy counts.", {
  prometheus,
  sinks: list(
    "Where Envoy sends its figures by itself.",
    object(
      "A place to send to.",
      {
        type: required(choice("Kind of the place.", ["OpenTelemetry"], { default: "OpenTelemetry" })),
        openTelemetry,
      },
      {
        rules: [
          {
            rule: "(self.type == 'OpenTelemetry') == has(self.openTelemetry)",
            message: "type OpenTelemetry needs the field openTelemetry",
          },
        ],
      },
    ),
    { maxItems: 16 },
  ),
  matches: list(
    "Names of the statistics to keep, in Envoy's spelling; a small set for each backend and all others when left out.",
    object("A name or part of one.", {
      type: choice("How to compare.", ["Exact", "Prefix", "Suffix", "RegularExpression"], { default: "Exact" }),
      value: required(text("What to compare with.", { minLength: 1, maxLength: 1024 })),
    }),
  ),
  enableVirtualHostStats: flag("Count for each host of a route."),
  enablePerEndpointStats: flag("Count for each endpoint of a backend."),
  enableRequestResponseSizesStats: flag("Count the sizes of requests and answers."),
  enableGRPCStats: flag("Count gRPC calls on routes of the kind GRPCRoute; true when left out."),
  clusterStatName: text("Name of a backend's statistics, with operators such as %ROUTE_NAME%."),
});

export const telemetry = object("What Envoy tells about its work.", {
  accessLog,
  tracing,
  metrics,
  requestID: object("The header x-request-id.", {
    tracing: choice("Whether the sampling decision is read from the id (Sample) and written into it (Pack).", [
      "PackAndSample",
      "Sample",
      "Pack",
      "Disable",
    ]),
  }),
  healthCheckLog: object("Logs results of active health checks.", healthCheckLogFields),
});
