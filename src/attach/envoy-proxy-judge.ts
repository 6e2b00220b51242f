import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import { findCelFault } from "./cel-match.ts";
import type { ProxyFinding } from "./envoy-proxy.ts";
import { judgeFilterOrder } from "./filter-order.ts";
import { reservedLabels } from "./infrastructure-name.ts";
import type { Settings } from "./model.ts";
import { findStatNameFault } from "./routing-settings.ts";

interface Verdict {
  readonly refused: readonly ProxyFinding[];
  readonly warnings: readonly ProxyFinding[];
}

/** Which fields of an EnvoyProxy cannot work, or have no effect, where this Gatehouse runs its Envoys. */
export function judgeProxy(spec: EnvoyProxySpec, level: "GatewayClass" | "Gateway", settings: Settings): Verdict {
  const refused: ProxyFinding[] = [];
  const warnings: ProxyFinding[] = [];
  for (const [field, what] of notImplemented(spec)) {
    refused.push({ field, text: `is not implemented in this version, ${what}; remove it` });
  }
  if (level === "Gateway" && spec.mergeGateways) {
    refused.push({
      field: "spec.mergeGateways",
      text: "can only be decided for all Gateways of a class; set it in the EnvoyProxy of the GatewayClass",
    });
  }
  if (level === "GatewayClass" && spec.mergeGateways && settings.inGatewayNamespace) {
    refused.push({
      field: "spec.mergeGateways",
      text: "cannot be had while Envoys run in the namespaces of their Gateways; remove it, or let them run in the controller's namespace",
    });
  }
  refused.push(
    ...judgeProvider(spec, settings),
    ...judgeProcess(spec),
    ...judgePod(spec),
    ...judgeRouting(spec),
    ...judgeMatches(spec),
  );
  refused.push(...judgeFilterOrder(spec.filterOrder));
  if (settings.hostInfrastructure && spec.provider?.kubernetes !== undefined) {
    warnings.push({
      field: "spec.provider.kubernetes",
      text: "has no effect, because Envoy runs as a process of this host; keep it for a cluster or remove it",
    });
  }
  if (spec.mergeBackends?.selector !== undefined) {
    warnings.push({
      field: "spec.mergeBackends.selector",
      text: "has no effect, because routes share a backend's connections wherever they reach it alike; remove it",
    });
  }
  const { envoyDeployment, envoyHpa } = spec.provider?.kubernetes ?? {};
  if (envoyDeployment?.replicas !== undefined && envoyHpa !== undefined) {
    warnings.push({
      field: "spec.provider.kubernetes.envoyDeployment.replicas",
      text: "has no effect, because envoyHpa decides how many pods there are; remove one of them",
    });
  }
  warnings.push(...warnOfShorthand(spec));
  return { refused, warnings };
}

/** Documentation shows a shorthand that the API does not have: it works here, and nowhere else. */
function warnOfShorthand({ telemetry }: EnvoyProxySpec): ProxyFinding[] {
  const { openTelemetry } = telemetry?.tracing?.provider ?? {};
  const place = "spec.telemetry.tracing.provider";
  return (["host", "port"] as const)
    .filter((field) => openTelemetry?.[field] !== undefined)
    .map((field) => ({
      field: `${place}.openTelemetry.${field}`,
      text: `is in effect as a shorthand of Gatehouse's for ${place}.${field}, the field of the API; write that one`,
      reason: "Shorthand",
    }));
}

/** Fields whose only use is by something that this version does not have. */
function* notImplemented(spec: EnvoyProxySpec): Generator<readonly [field: string, what: string]> {
  const lua = "which runs no Lua of EnvoyExtensionPolicies";
  if (spec.geoIP !== undefined) yield ["spec.geoIP", "which decides nothing by where a client is"];
  if (spec.lua !== undefined) yield ["spec.lua", lua];
  if (spec.luaValidation !== undefined) yield ["spec.luaValidation", lua];
  if (spec.dynamicModules !== undefined) yield ["spec.dynamicModules", "which has nothing that refers to a module"];
  if (spec.telemetry?.healthCheckLog !== undefined) {
    yield ["spec.telemetry.healthCheckLog", "which makes no active health checks"];
  }
}

function judgeRouting({ routingType = "Endpoint", telemetry }: EnvoyProxySpec): ProxyFinding[] {
  const findings: ProxyFinding[] = [];
  if (routingType !== "Endpoint" && routingType !== "Service") {
    findings.push({ field: "spec.routingType", text: `is ${routingType}; use Endpoint or Service` });
  }
  const { clusterStatName } = telemetry?.metrics ?? {};
  const text = clusterStatName === undefined ? undefined : findStatNameFault(clusterStatName);
  if (text !== undefined) findings.push({ field: "spec.telemetry.metrics.clusterStatName", text });
  return findings;
}

/** Of each log the expressions that choose its entries. */
function judgeMatches({ telemetry }: EnvoyProxySpec): ProxyFinding[] {
  return (telemetry?.accessLog?.settings ?? []).flatMap(({ matches = [] }, setting) =>
    matches.flatMap((expression, index) => {
      const text = findCelFault(expression);
      return text === undefined
        ? []
        : [{ field: `spec.telemetry.accessLog.settings[${setting}].matches[${index}]`, text }];
    }),
  );
}

function judgeProvider(spec: EnvoyProxySpec, settings: Settings): ProxyFinding[] {
  const { provider } = spec;
  if (provider === undefined) return [];
  const findings: ProxyFinding[] = [];
  if (provider.type === "Host" && !settings.hostInfrastructure) {
    findings.push({ field: "spec.provider.type", text: "is Host, and Envoy runs in the cluster; use Kubernetes" });
  }
  if (provider.host?.envoyVersion !== undefined) {
    findings.push({
      field: "spec.provider.host.envoyVersion",
      text: "cannot be chosen, because the Envoy that is installed is run; remove it and install the version you want",
    });
  }
  for (const [name, part] of Object.entries(provider.kubernetes ?? {})) {
    const patch = typeof part === "object" && "patch" in part ? part.patch : undefined;
    if (patch === undefined) continue;
    const field = `spec.provider.kubernetes.${name}.patch`;
    if (patch.type !== undefined && patch.type !== "StrategicMerge" && patch.type !== "JSONMerge") {
      findings.push({ field: `${field}.type`, text: `is ${patch.type}; use StrategicMerge or JSONMerge` });
    }
    if (typeof patch.value !== "object" || patch.value === null || Array.isArray(patch.value)) {
      findings.push({ field: `${field}.value`, text: "must be an object; write the part of the object that changes" });
    }
  }
  return findings;
}

/** Volumes that every pod has already. */
const ownVolumes = ["certs", "sds"];

/** What would stand twice in a pod, or take it away from its Gateway. */
function judgePod({ provider }: EnvoyProxySpec): ProxyFinding[] {
  const { envoyDeployment, envoyDaemonSet, envoyService } = provider?.kubernetes ?? {};
  const workload = envoyDeployment === undefined ? "envoyDaemonSet" : "envoyDeployment";
  const { pod = {} } = envoyDeployment ?? envoyDaemonSet ?? {};
  const findings: ProxyFinding[] = [];
  const judgeLabels = (labels: object | undefined, place: string) => {
    for (const label of Object.keys(labels ?? {}).filter((name) => reservedLabels.has(name))) {
      const field = `spec.provider.kubernetes.${place}.labels["${label}"]`;
      findings.push({ field, text: "is a label by which Gatehouse finds its objects; choose another" });
    }
  };
  judgeLabels(pod.labels, `${workload}.pod`);
  judgeLabels(envoyService?.labels, "envoyService");
  for (const [index, { name }] of (pod.volumes ?? []).entries()) {
    if (!ownVolumes.includes(name)) continue;
    const field = `spec.provider.kubernetes.${workload}.pod.volumes[${index}].name`;
    findings.push({ field, text: `is ${name}, which is a volume that every pod of Envoy has; choose another name` });
  }
  return findings;
}

/** Arguments that Gatehouse itself gives to Envoy and that decide which configuration it gets. */
const ownArguments = [
  ...["--config-path", "-c", "--config-yaml", "--service-node", "--service-cluster", "--mode", "--base-id"],
  ...["--use-dynamic-base-id", "--restart-epoch", "--version", "--help", "-h"],
];

/** Components of Envoy 1.40 that have a log level of their own; the process ends at once when it is given any other. */
export const logComponents: ReadonlySet<string> = new Set(
  (
    "a2a admin ai_protocol_manager alternate_protocols_cache aws assert backtrace basic_auth cache_filter client config " +
    "connection conn_handler compression credential_injector decompression dns dubbo envoy_bug ext_authz ext_proc " +
    "rocketmq file filter forward_proxy geolocation grpc happy_eyeballs hc health_checker http http2 hystrix init io jwt " +
    "json_rpc kafka key_value_store lua local_rate_limit main matcher mcp misc mongo multi_connection notification oauth2 " +
    "quic quic_stream pool rate_limit_quota rbac rds redis router runtime stats secret sse tap testing thrift tracing " +
    "upstream udp wasm websocket golang stats_sinks dynamic_modules ip_tagging"
  ).split(" "),
);

function judgeProcess(spec: EnvoyProxySpec): ProxyFinding[] {
  const findings: ProxyFinding[] = [];
  if (spec.concurrency !== undefined && spec.concurrency < 0) {
    findings.push({ field: "spec.concurrency", text: `is ${spec.concurrency}; use 1 or more, or leave it out` });
  }
  for (const component of Object.keys(spec.logging?.level ?? {})) {
    if (component === "default" || logComponents.has(component)) continue;
    const field = `spec.logging.level.${component}`;
    findings.push({ field, text: "is no component of Envoy; use default or one that Envoy's page /logging lists" });
  }
  for (const [index, argument] of (spec.extraArgs ?? []).entries()) {
    const name = argument.split("=")[0] ?? "";
    if (!ownArguments.includes(name)) continue;
    findings.push({ field: `spec.extraArgs[${index}]`, text: `is ${name}, which Gatehouse sets itself; remove it` });
  }
  return findings;
}
