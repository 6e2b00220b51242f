import {
  bootstrap,
  dynamicModules,
  filterOrder,
  geoIP,
  logging,
  lua,
  luaValidation,
  shutdown,
} from "./envoyproxy-envoy.ts";
import { kubernetesProvider } from "./envoyproxy-kubernetes.ts";
import { telemetry } from "./envoyproxy-metrics.ts";
import { choice, defineKind, flag, integer, list, type ObjectOf, object, required, text } from "./schema.ts";
import { ancestorReference, conditions, labelSelectorFields, secretReference } from "./shared-schemas.ts";
import { tlsFields, tlsRules } from "./tls-settings.ts";

const selector = object("Labels of the backends that are shared; all backends when left out.", labelSelectorFields, {
  atomic: true,
});

const spec = object(
  "How Envoy is run and set up.",
  {
    provider: object("Where Envoy runs.", {
      type: required(
        choice("Kubernetes runs it in the cluster, Host as processes of this machine.", ["Kubernetes", "Host"]),
      ),
      kubernetes: kubernetesProvider,
      host: object("Settings for type Host.", { envoyVersion: text("Version of Envoy to run.") }),
    }),
    mergeType: choice(
      "How this EnvoyProxy and the less specific one (the class's, or the default) come together: Replace, which is the default, takes this one alone.",
      ["Replace", "StrategicMerge", "JSONMerge"],
    ),
    mergeGateways: flag("All Gateways of the class share Envoy; only for an EnvoyProxy of a GatewayClass."),
    mergeBackends: object("Routes that name the same backend share its connections and limits.", { selector }),
    concurrency: integer("Worker threads of Envoy; one a CPU when left out.", { format: "int32" }),
    ipFamily: choice("Addresses to listen on and to reach backends by; IPv4 when left out.", [
      "IPv4",
      "IPv6",
      "DualStack",
    ]),
    logging,
    extraArgs: list("Further arguments of Envoy's command line.", text("An argument.")),
    shutdown,
    bootstrap,
    telemetry,
    filterOrder,
    backendTLS: object(
      "TLS to all backends for which nothing else says how.",
      {
        clientCertificateRef: secretReference("TLS Secret with the certificate that Envoy shows to backends."),
        ...tlsFields,
      },
      { rules: tlsRules },
    ),
    routingType: text(
      "Endpoint sends to the endpoints of a Service, which is the default; Service to its cluster address.",
    ),
    preserveRouteOrder: flag("Try the rules of routes in the order they are written in, not the most specific first."),
    geoIP,
    lua,
    luaValidation,
    dynamicModules,
  },
  {
    rules: [
      {
        rule: "!has(self.luaValidation) || !has(self.lua)",
        message: "luaValidation is the older name of lua.validationType: write one of them",
      },
      {
        rule: "!(has(self.mergeGateways) && self.mergeGateways && has(self.mergeBackends))",
        message: "mergeGateways and mergeBackends exclude one another",
      },
    ],
  },
);

const status = object("What became of the EnvoyProxy.", {
  ancestors: list(
    "The GatewayClasses and Gateways that refer to it.",
    object("What became of it there.", {
      ancestorRef: required(ancestorReference("The GatewayClass or Gateway.")),
      conditions: conditions("Whether it is in effect there.", { maxItems: null }),
    }),
  ),
});

export const envoyProxyDefinition = defineKind({
  group: "gateway.envoyproxy.io",
  version: "v1alpha1",
  kind: "EnvoyProxy",
  plural: "envoyproxies",
  shortNames: ["eproxy"],
  categories: ["envoy-gateway"],
  description: "How Envoy is run and set up for the GatewayClass or Gateway whose parametersRef names this object.",
  printerColumns: [
    { name: "Status", type: "string", jsonPath: '.status.ancestors[*].conditions[?(@.type=="Accepted")].reason' },
    { name: "Used by", type: "string", jsonPath: ".status.ancestors[*].ancestorRef.name" },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  spec,
  status,
});

/** Settings of Envoys that a GatewayClass or Gateway refers to, group `gateway.envoyproxy.io`. */
export type EnvoyProxy = ObjectOf<typeof envoyProxyDefinition>;
export type EnvoyProxySpec = EnvoyProxy["spec"];
