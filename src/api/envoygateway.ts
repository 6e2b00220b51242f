import type { Static } from "typebox";
import { rateLimitConfiguration, rateLimitDeployment, unservedDeploymentFields } from "./envoygateway-rate-limit.ts";
import { envoyProxyDefinition } from "./envoyproxy.ts";
import { byteSize, choice, defineKind, flag, integer, list, map, object, required, text } from "./schema.ts";

/**
 * The configuration file: kind `EnvoyGateway` of `gateway.envoyproxy.io/v1alpha1`, which no API server holds. Fields of that kind
 * that this version cannot serve are listed in {@link refusedFields}, so that a file which needs them is refused with a reason.
 */

/** What a file that says nothing means. */
export const configurationDefaults = {
  controllerName: "gatehouse.dev/gateway-controller",
  deploy: "ControllerNamespace",
  queriesPerSecond: 50,
  burst: 100,
  adminHost: "127.0.0.1",
  adminPort: 19_000,
} as const;

const duration = (description: string) => text(description, { pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$" });

/** Parts of the program that log, by the names that the kind has for them, and ours. */
export const logComponents = [
  "default",
  "provider",
  "gateway-api",
  "xds-translator",
  "xds-server",
  "xds",
  "infrastructure",
  "status",
  "certificates",
  "admin",
] as const;
export type LogComponent = (typeof logComponents)[number];

const levelWords = ["trace", "debug", "info", "warn", "error", "critical", "off"] as const;

const watch = object(
  "Which namespaces are read; all when left out.",
  {
    type: choice("Namespaces lists them, NamespaceSelector chooses them by their labels.", [
      "Namespaces",
      "NamespaceSelector",
    ]),
    namespaces: list(
      "Names of namespaces; for type Namespaces.",
      text("A namespace.", { minLength: 1, maxLength: 63 }),
    ),
    namespaceSelector: object("Labels of namespaces; for type NamespaceSelector.", {
      matchLabels: map("Labels and the values that they must have.", text("Value of the label.")),
      matchExpressions: list(
        "Conditions, all of which must hold.",
        object(
          "A condition.",
          {
            key: required(text("Name of the label.", { minLength: 1 })),
            operator: required(choice("How values are compared.", ["In", "NotIn", "Exists", "DoesNotExist"])),
            values: list("Values for In and NotIn.", text("A value.")),
          },
          {
            rules: [
              {
                rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                message: "operators In and NotIn need the field values, Exists and DoesNotExist take none",
              },
            ],
          },
        ),
      ),
    }),
  },
  {
    rules: [
      {
        rule: "has(self.type) || (!has(self.namespaces) && !has(self.namespaceSelector))",
        message: "the field type has to say which of namespaces and namespaceSelector counts",
      },
      {
        rule: "!has(self.type) || self.type != 'Namespaces' || (has(self.namespaces) && self.namespaces.size() > 0)",
        message: "type Namespaces needs the field namespaces with at least one item",
      },
      {
        rule: "!has(self.type) || self.type != 'Namespaces' || !has(self.namespaceSelector)",
        message: "namespaceSelector is only for type NamespaceSelector",
      },
      {
        rule: "!has(self.type) || self.type != 'NamespaceSelector' || has(self.namespaceSelector)",
        message: "type NamespaceSelector needs the field namespaceSelector",
      },
      {
        rule: "!has(self.type) || self.type != 'NamespaceSelector' || !has(self.namespaces)",
        message: "namespaces is only for type Namespaces",
      },
    ],
  },
);

const kubernetes = object("How the cluster is read and written.", {
  watch,
  deploy: object("Where Envoys run.", {
    type: choice(
      "ControllerNamespace: in the namespace of Gatehouse. GatewayNamespace: in that of their Gateway.",
      ["ControllerNamespace", "GatewayNamespace"],
      { default: configurationDefaults.deploy },
    ),
  }),
  leaderElection: object("Which replica writes.", {
    leaseDuration: duration("After so long without renewal another replica takes over; 15s when left out."),
    renewDeadline: duration("The leader gives up when it could not renew for so long; 10s when left out."),
    retryPeriod: duration("Pause between attempts; 2s when left out."),
    disable: flag("Every process takes itself for the leader: only for a single replica."),
  }),
  client: object("How the API server is asked.", {
    rateLimit: object("Limits of calls to the API server.", {
      qps: integer("Calls a second.", { format: "int32", minimum: 1, default: configurationDefaults.queriesPerSecond }),
      burst: integer("Calls that may follow one another at once.", {
        format: "int32",
        minimum: 1,
        default: configurationDefaults.burst,
      }),
    }),
  }),
  rateLimitDeployment,
  shutdownManager: object("The container that drains Envoy.", {
    image: text("Its image; that of Gatehouse itself when left out.", { minLength: 1 }),
  }),
});

const schema = object("Configuration of Gatehouse.", {
  gateway: object("Which GatewayClasses are served.", {
    controllerName: text("Their controllerName; gatehouse.dev/gateway-controller when left out.", {
      minLength: 1,
      maxLength: 253,
      pattern:
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$",
    }),
  }),
  provider: object("Where objects come from and Envoys run.", {
    type: required(choice("Only Kubernetes: folders are served by `gatehouse standalone`.", ["Kubernetes"])),
    kubernetes,
  }),
  logging: object("What is logged.", {
    level: object(
      "The least severe lines that are written, by part of the program.",
      Object.fromEntries(logComponents.map((name) => [name, choice(`Level of ${name}.`, levelWords)])) as Record<
        LogComponent,
        ReturnType<typeof levelChoice>
      >,
    ),
    encoder: choice("JSON: one object a line. Text: for people. Text on a terminal, else JSON, when left out.", [
      "JSON",
      "Text",
    ]),
  }),
  admin: object("The server for people who look into a running Gatehouse.", {
    address: object("Where it listens.", {
      host: text("Address; whoever reaches it can read the configuration.", {
        minLength: 1,
        default: configurationDefaults.adminHost,
      }),
      port: integer("Port; 0 for a free one.", {
        minimum: 0,
        maximum: 65535,
        default: configurationDefaults.adminPort,
      }),
    }),
  }),
  telemetry: object("What Gatehouse tells about itself.", {
    metrics: object("Its metrics.", {
      prometheus: object("Metrics for Prometheus, on port 19001.", { disable: flag("True: not served.") }),
    }),
  }),
  xdsServer: object("The server that programs Envoys.", {
    maxConnectionAge: duration(
      "Connections are ended after so long, so that replicas share them; never when left out.",
    ),
    maxConnectionAgeGrace: duration("What such a connection has left to end by itself; 2m when left out."),
    maxReceiveMessageSize: byteSize("Largest request of an Envoy; 64Mi when left out."),
  }),
  rateLimit: rateLimitConfiguration,
  extensionApis: object("Kinds beside those of the Gateway API.", {
    enableBackend: flag("False: routes that refer to a Backend are refused. True when left out."),
  }),
  gatewayAPI: object("Experimental kinds of the Gateway API.", {}),
  runtimeFlags: object("Features that are tried out.", {}),
  envoyProxy: envoyProxyDefinition.spec,
});

function levelChoice() {
  return choice("", levelWords);
}

/** In the form of a kind, whose `spec` are the fields of the file. */
export const envoyGatewayDefinition = defineKind({
  group: "gateway.envoyproxy.io",
  version: "v1alpha1",
  kind: "EnvoyGateway",
  plural: "envoygateways",
  shortNames: [],
  categories: [],
  description: "Configuration of Gatehouse.",
  printerColumns: [],
  spec: schema,
});

export type EnvoyGateway = Static<typeof schema>;

export interface RefusedField {
  readonly path: readonly string[];
  /** Values that ask for nothing, and are taken. */
  readonly accepts?: (value: unknown) => boolean;
  /** Completes the sentence that begins with the field. */
  readonly message: string;
}

const off = (value: unknown) => value === false;
const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;
const onlyOf = (names: readonly string[]) => (value: unknown) =>
  Array.isArray(value) && value.every((name) => names.includes(name));

const refuse = (path: string, message: string, accepts?: RefusedField["accepts"]): RefusedField => ({
  path: path.split("."),
  message,
  ...(accepts && { accepts }),
});
const notServed = (what: string) => `${what} is not part of this version; leave the field out`;

/** Fields of the kind that this version does not serve. */
export const refusedFields: readonly RefusedField[] = [
  refuse("provider.custom", "is for gateways without a cluster; use `gatehouse standalone` for those"),
  ...["rateLimitHpa", "rateLimitPDB"].map((field) =>
    refuse(`provider.kubernetes.${field}`, notServed("another shape of the rate limit service")),
  ),
  ...unservedDeploymentFields.map((field) =>
    refuse(field, "is not part of this version; leave the field out, and say it in the patch beside it"),
  ),
  refuse(
    "provider.kubernetes.proxyTopologyInjector",
    notServed("the injection of topology labels"),
    (value) => (value as { disabled?: unknown } | null)?.disabled === true,
  ),
  refuse("provider.kubernetes.cacheSyncPeriod", "is not needed: what is watched is never read anew; leave it out"),
  refuse("logging.level.global-ratelimit", notServed("a log level of its own for global rate limiting")),
  refuse("admin.enableDumpConfig", notServed("the dump of the whole configuration"), off),
  refuse("admin.enablePprof", "is for programs in Go; start Node with --inspect instead", off),
  refuse("telemetry.metrics.sinks", `${notServed("pushing metrics")}, and let Prometheus fetch them`, isEmpty),
  refuse("telemetry.traces", notServed("tracing of the control plane")),
  refuse(
    "rateLimit.backend.redis.tls.certificateRef.namespace",
    "is always that of Gatehouse in this version; leave the field out, and the Secret there",
  ),
  refuse("rateLimit.telemetry.tracing", notServed("tracing of the rate limit service")),
  refuse("extensionManager", notServed("the extension server")),
  refuse("extensionManagers", notServed("the extension server"), isEmpty),
  refuse("extensionApis.enableEnvoyPatchPolicy", notServed("EnvoyPatchPolicy"), off),
  refuse("extensionApis.enableLua", notServed("Lua"), off),
  refuse("extensionApis.disableLua", notServed("Lua"), (value) => value === true),
  refuse("extensionApis.enableSDSSecretRef", notServed("a Secret that an SDS server holds"), off),
  refuse("gatewayAPI.enabled", notServed("XBackendTrafficPolicy"), isEmpty),
  // EndpointSlices are indexed in any case; the other two flags are off in any case.
  refuse(
    "runtimeFlags.enabled",
    "of all flags only EndpointSliceIndex is on in this version",
    onlyOf(["EndpointSliceIndex"]),
  ),
  refuse(
    "runtimeFlags.disabled",
    "of all flags only XDSNameSchemeV2 and PerResourceSystemCASecret are off in this version",
    onlyOf(["XDSNameSchemeV2", "PerResourceSystemCASecret"]),
  ),
];
