import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { ProxyFinding } from "../attach/envoy-proxy.ts";
import type { MetricSink } from "../attach/metric-sinks.ts";
import type { Settings } from "../attach/model.ts";
import { parseQuantity } from "../attach/quantity.ts";
import type { ControlPlaneAddress } from "../envoy/control-plane.ts";
import { podPorts, podSockets } from "../envoy/pod-ports.ts";
import { type BootstrapOptions, buildBootstrap } from "./bootstrap.ts";
import { type OverrideResult, overrideBootstrap } from "./bootstrap-override.ts";

export interface BootstrapPlace {
  readonly controlPlane: ControlPlaneAddress;
  /** Who the Envoy is; in a pod its command line says it. */
  readonly node?: BootstrapOptions["node"];
  /** Path of the admin interface's socket on a host; undefined: in a pod. */
  readonly adminSocket: string | undefined;
}

/** The bootstrap of a Gateway's Envoys, changed as its EnvoyProxy says. */
export function buildProxyBootstrap(
  spec: EnvoyProxySpec & { readonly metricSinks?: readonly MetricSink[] },
  { controlPlane, node, adminSocket }: BootstrapPlace,
): OverrideResult {
  const bootstrap = buildBootstrap({
    ...(node && { node }),
    xds: controlPlane,
    admin: adminSocket === undefined ? podAdmin : { unixPath: adminSocket },
    ...(spec.telemetry?.metrics && { metrics: spec.telemetry.metrics }),
    ...(spec.metricSinks && { metricSinks: spec.metricSinks }),
    ...(adminSocket === undefined && podOptions(spec)),
  });
  return spec.bootstrap === undefined ? { bootstrap } : overrideBootstrap(bootstrap, spec.bootstrap);
}

/** Nobody but the pod's containers sees the folder, and they may run as different users. */
const podAdmin = { unixPath: podSockets.admin, mode: 0o666 } as const;

function podOptions({ ipFamily, provider }: EnvoyProxySpec): Pick<BootstrapOptions, "pod" | "memoryBytes"> {
  const { envoyDeployment, envoyDaemonSet } = provider?.kubernetes ?? {};
  const memory = (envoyDaemonSet ?? envoyDeployment)?.container?.resources?.limits?.["memory"];
  const memoryBytes = memory === undefined ? undefined : parseQuantity(memory);
  const address = ipFamily === "IPv6" || ipFamily === "DualStack" ? "::" : "0.0.0.0";
  return {
    pod: { address, readyPort: podPorts.ready, statsPort: podPorts.stats },
    ...(memoryBytes !== undefined && { memoryBytes }),
  };
}

const anywhere: ControlPlaneAddress = { address: { unixPath: "/xds.sock" } };

/** What is wrong with the changes that an EnvoyProxy makes to the bootstrap. */
export function judgeBootstrap(spec: EnvoyProxySpec, settings: Settings): ProxyFinding[] {
  if (spec.bootstrap === undefined) return [];
  const adminSocket = settings.hostInfrastructure ? "/admin.sock" : undefined;
  const place = { controlPlane: settings.controlPlane ?? anywhere, adminSocket };
  const result = buildProxyBootstrap(spec, place);
  return "bootstrap" in result ? [] : [result];
}
