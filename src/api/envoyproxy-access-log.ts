import { clusterSettings } from "./cluster-settings.ts";
import { choice, flag, integer, list, map, object, required, text } from "./schema.ts";
import { backendRefFields, backendRefRules, header } from "./shared-schemas.ts";

const format = object(
  "How an entry is written; a JSON object with many fields when left out.",
  {
    type: choice("Form of an entry; both are allowed when left out.", ["Text", "JSON"]),
    text: text("The entry as text with Envoy's command operators, such as %RESPONSE_CODE%."),
    json: map("Fields of the entry.", text("Value with Envoy's command operators.")),
  },
  {
    rules: [
      {
        rule: "!has(self.type) || self.type != 'Text' || (has(self.text) && !has(self.json))",
        message: "type Text needs the field text, and no json",
      },
      {
        rule: "!has(self.type) || self.type != 'JSON' || (has(self.json) && !has(self.text))",
        message: "type JSON needs the field json, and no text",
      },
      { rule: "has(self.type) || has(self.text) || has(self.json)", message: "set text or json" },
    ],
  },
);

/** Headers and trailers that an entry repeats. */
const names = (what: string) => list(`${what} to report.`, text("Name of a header."));

const als = object(
  "A gRPC access log service; for type ALS.",
  {
    ...backendRefFields,
    backendSettings: clusterSettings("Settings of the connections to the service."),
    logName: text("Name of the log in the reports; namespace/name of the Gateway when left out.", { minLength: 1 }),
    type: required(choice("HTTP reports requests, TCP connections.", ["HTTP", "TCP"])),
    http: object("What to report beside the usual; for type HTTP.", {
      requestHeaders: names("Request headers"),
      responseHeaders: names("Response headers"),
      responseTrailers: names("Response trailers"),
    }),
  },
  {
    rules: [
      { rule: "self.type == 'HTTP' || !has(self.http)", message: "http is for type HTTP only" },
      { rule: "has(self.backendRefs) && self.backendRefs.size() > 0", message: "backendRefs needs at least one item" },
      ...backendRefRules,
    ],
  },
);

/** Rule of every place where a host may stand instead of backendRefs. */
export const hostOrBackendRefs = {
  rule: "has(self.host) || (has(self.backendRefs) && self.backendRefs.size() > 0)",
  message: "set backendRefs or host",
};

export const OTLP_PORT = 4317;

const openTelemetry = object(
  "An OpenTelemetry collector reached by gRPC; for type OpenTelemetry.",
  {
    ...backendRefFields,
    backendSettings: clusterSettings("Settings of the connections to the collector."),
    host: text("Host name or address of the collector; prefer backendRefs."),
    port: integer("Port of host.", { format: "int32", minimum: 0, default: OTLP_PORT }),
    headers: list("Headers to send along, such as credentials.", header("A header."), { minItems: 1, maxItems: 32 }),
    resourceAttributes: map("Attributes of the resource that logs.", text("Value of the attribute.")),
    resources: map("Older name of resourceAttributes.", text("Value of the attribute.")),
  },
  {
    rules: [
      hostOrBackendRefs,
      {
        rule: "!has(self.resources) || !has(self.resourceAttributes)",
        message: "resources is the older name of resourceAttributes: write one of them",
      },
      ...backendRefRules,
    ],
  },
);

const sink = object(
  "A place to log to.",
  {
    type: choice("Kind of the place.", ["ALS", "File", "OpenTelemetry"]),
    als,
    file: object("A file in Envoy's container; for type File.", {
      path: text("Path of the file; /dev/stdout is Envoy's output.", { minLength: 1 }),
    }),
    openTelemetry,
  },
  {
    rules: [
      { rule: "has(self.type)", message: "type is needed" },
      {
        rule: "(has(self.type) && self.type == 'ALS') == has(self.als)",
        message: "als belongs to type ALS, which needs it",
      },
      {
        rule: "(has(self.type) && self.type == 'File') == has(self.file)",
        message: "file belongs to type File, which needs it",
      },
      {
        rule: "(has(self.type) && self.type == 'OpenTelemetry') == has(self.openTelemetry)",
        message: "openTelemetry belongs to type OpenTelemetry, which needs it",
      },
    ],
  },
);

export const accessLog = object(
  "Records of requests and connections. Without it requests are logged as JSON to Envoy's output.",
  {
    disable: flag("Log nothing."),
    settings: list(
      "What to log, how and where to.",
      object("A log.", {
        type: choice(
          "Listener logs connections, Route requests, Upstream attempts; requests, and connections that no listener takes, when left out.",
          ["Listener", "Route", "Upstream"],
        ),
        format,
        matches: list(
          "CEL expressions; an entry is logged when all hold.",
          text("A CEL expression over Envoy's attributes, such as response.code >= 500."),
          {
            maxItems: 10,
          },
        ),
        sinks: required(list("Where to log.", sink, { minItems: 1, maxItems: 50 })),
      }),
      { minItems: 1, maxItems: 50 },
    ),
  },
);
