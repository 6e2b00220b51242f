import { clusterSettings } from "./cluster-settings.ts";
import { choice, flag, integer, list, numberChoice, object, type Rule, required, text } from "./schema.ts";
import { backendRefFields, duration, group, kind, objectName } from "./shared-schemas.ts";

const serverRules: readonly Rule[] = [
  {
    rule: "has(self.backendRef) || (has(self.backendRefs) && self.backendRefs.size() > 0)",
    message: "name the server in backendRefs",
  },
  {
    rule: "!has(self.backendRefs) || self.backendRefs.all(b, b.kind in ['Service', 'ServiceImport', 'Backend'])",
    message: "backendRefs may name Services, ServiceImports and Backends only",
  },
  {
    rule: "!has(self.backendRefs) || self.backendRefs.all(b, b.group in ['', 'multicluster.x-k8s.io', 'gateway.envoyproxy.io'])",
    message: "backendRefs may name the core group, multicluster.x-k8s.io and gateway.envoyproxy.io only",
  },
];

const grpc = object(
  "A server that speaks Envoy's authorization protocol (envoy.service.auth.v3.Authorization).",
  { ...backendRefFields, backendSettings: clusterSettings("How to reach the server.") },
  { rules: serverRules },
);

const http = object(
  "A server that answers a copy of the request: with 200 it passes, any other answer is the client's.",
  {
    ...backendRefFields,
    backendSettings: clusterSettings("How to reach the server."),
    path: text("What stands before the path of the request when the server is asked."),
    pathOverride: text("The path to ask for, whatever the path of the request is."),
    headersToBackend: list(
      "Headers of the server's answer that the backend is told; none when left out.",
      text("Name of a header."),
    ),
  },
  {
    rules: [
      ...serverRules,
      { rule: "!(has(self.path) && has(self.pathOverride))", message: "path and pathOverride exclude one another" },
    ],
  },
);

const contextExtension = object(
  "Something to tell the server.",
  {
    name: required(text("Its name.")),
    type: required(
      choice("Value: written here. ValueRef: taken from an object.", ["Value", "ValueRef"], { default: "Value" }),
    ),
    value: text("The value; for type Value."),
    valueRef: object(
      "ConfigMap or Secret with the value; for type ValueRef.",
      {
        group: required(group("API group of the object; empty for the core group.")),
        kind: required(kind("Kind of the object.")),
        name: required(objectName("Name of the object.")),
        key: required(text("Key of the value in the object.")),
      },
      {
        rules: [
          {
            rule: "self.kind in ['ConfigMap', 'Secret'] && self.group in ['', 'v1']",
            message: "must name a ConfigMap or Secret",
          },
        ],
      },
    ),
  },
  {
    rules: [
      {
        rule: "(self.type == 'Value') == has(self.value) && (self.type == 'ValueRef') == has(self.valueRef)",
        message: "type Value needs the field value alone, type ValueRef the field valueRef alone",
      },
    ],
  },
);

/** Statuses that Envoy has a name for. */
const errorStatuses = [
  ...[400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424],
  ...[426, 428, 429, 431, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
] as const;

export const extAuth = object(
  "Asks a server of yours whether a request may pass.",
  {
    grpc,
    http,
    headersToExtAuth: list(
      "Headers of the request that the server is told. By gRPC all when left out; by HTTP Host, Method, Path, Content-Length and Authorization always.",
      text("Name of a header."),
    ),
    headersToBackend: list(
      "Shorthand for http.headersToBackend, and of meaning with grpc, too.",
      text("Name of a header."),
    ),
    bodyToExtAuth: object("Tells the server the body of the request; the headers alone when left out.", {
      maxRequestBytes: required(
        integer("Bytes that a body may have; what is larger is answered with 413.", { format: "int32", minimum: 1 }),
      ),
    }),
    failOpen: flag("Whether requests pass while the server cannot be asked.", { default: false }),
    statusOnError: numberChoice(
      "Status of the answer while the server cannot be asked; 403 when left out.",
      errorStatuses,
    ),
    recomputeRoute: flag("Whether the request is routed anew once the server's headers are there."),
    includeRouteMetadata: flag("Whether the server is told the metadata of the route."),
    timeout: duration("Time that the server has for its answer; 10s when left out."),
    contextExtensions: list("What else to tell the server; for grpc.", contextExtension, { mapKeys: ["name"] }),
  },
  { rules: [{ rule: "has(self.grpc) != has(self.http)", message: "set exactly one of grpc and http" }] },
);
