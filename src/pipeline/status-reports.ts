import type { Backend } from "../api/backend.ts";
import type { EnvoyProxy } from "../api/envoyproxy.ts";
import type { GatewayClass, Route, RouteKind } from "../api/gateway-api.ts";
import { planBackend } from "../attach/backend.ts";
import type { GatewayClassPlan } from "../attach/gateway-class.ts";
import type { ResolvedRoute, RouteAttachment } from "../attach/model.ts";
import { compareStrings } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { Problem } from "../base/problems.ts";
import type { Collection, Graph } from "../dataflow/graph.ts";
import type { ProxyNodes, ProxyUse } from "./envoy-proxies.ts";
import {
  createListenerReports,
  type GatewayReport,
  type ListenerReportNodes,
  type ListenerSetReport,
} from "./listener-reports.ts";
import type { PolicyNodes } from "./policies.ts";
import { createPolicyReports, type PolicyReport } from "./policy-reports.ts";
import {
  findOverlaps,
  findRefusedBackends,
  findRefusedRules,
  findTakenHosts,
  findUnavailable,
  type ParentProblem,
} from "./route-findings.ts";
import { variantsOf } from "./route-variants.ts";
import { INSTALLED_API_KEY, type InstalledApi, readSettings, type Sources } from "./sources.ts";
import type { StreamNodes } from "./streams.ts";
import { createTlsPolicyReports, type TlsPolicyNodes } from "./tls-policies.ts";

/** All that a status says, before it is put into words and conditions (`src/status/`). Key `kind/namespace/name`. */
export type StatusReport =
  | GatewayClassReport
  | GatewayReport
  | ListenerSetReport
  | RouteReport
  | { readonly kind: "Backend"; readonly object: Backend; readonly problems: readonly Problem[] }
  | EnvoyProxyReport
  | PolicyReport;

export interface EnvoyProxyReport {
  readonly kind: "EnvoyProxy";
  readonly object: EnvoyProxy;
  /** The GatewayClasses and Gateways of ours that refer to it, by kind and key. */
  readonly uses: readonly ProxyUse[];
}

export interface GatewayClassReport {
  readonly kind: "GatewayClass";
  readonly object: GatewayClass;
  readonly plan: GatewayClassPlan;
  /** Undefined: what the cluster has installed is not known, or there is no cluster. */
  readonly installedApi?: InstalledApi;
}

export interface RouteReport {
  readonly kind: RouteKind;
  readonly object: Route;
  readonly attachment: RouteAttachment;
  readonly resolved: ResolvedRoute;
  /** What was found out beside attachment and references: availability, overlaps, Envoy's refusals. */
  readonly extra: readonly ParentProblem[];
}

export function createStatusReports(
  graph: Graph,
  sources: Sources,
  { tlsPolicies, policies }: { readonly tlsPolicies: TlsPolicyNodes; readonly policies: PolicyNodes },
  proxies: ProxyNodes,
  nodes: Omit<ListenerReportNodes, "sources" | "proxies"> & { readonly streams: StreamNodes },
): Collection<StatusReport> {
  const { gateways, listeners, routes, clusters } = nodes;
  const classes = graph.flatMap<GatewayClassPlan, StatusReport>(
    "classReports",
    gateways.classPlans,
    (plan, name, read) => {
      const object = read.get(sources.gatewayClasses, name);
      if (object === undefined) return [];
      const installedApi = read.get(sources.installedApi, INSTALLED_API_KEY);
      return [[`GatewayClass/${name}`, { kind: "GatewayClass", object, plan, ...(installedApi && { installedApi }) }]];
    },
  );
  const gatewayReports = createListenerReports(graph, { sources, proxies, ...nodes });
  const rejectionsByRoute = graph.index("rejectionsByRoute", sources.rejections, (rejection) => [rejection.route]);
  const routeReports = graph.flatMap<ResolvedRoute, StatusReport>(
    "routeReports",
    routes.resolved,
    (resolved, key, read) => {
      const object = read.get(routes.routes, key);
      const attachment = read.get(routes.attachments, key);
      if (object === undefined || attachment === undefined) return [];
      const variants = variantsOf(routes.policies, key, () => object.route, attachment, resolved, read);
      const extra = [
        ...findUnavailable(variants, clusters, read),
        ...findOverlaps(key, attachment, routes, read),
        ...findTakenHosts(key, attachment, nodes.streams, read),
        ...findRefusedBackends(variants, sources, clusters, read),
        ...findRefusedRules(attachment, read.lookup(rejectionsByRoute, key)),
      ];
      return [[key, { kind: object.kind, object: object.route, attachment, resolved, extra }]];
    },
  );
  const backendReports = graph.flatMap<Backend, StatusReport>(
    "backendReports",
    sources.backends,
    (object, key, read) => [
      [
        flatText("Backend/", key),
        { kind: "Backend", object, problems: planBackend(object, readSettings(sources, read)) },
      ],
    ],
  );
  const proxyReports = graph.flatMap<EnvoyProxy, StatusReport>(
    "envoyProxyReports",
    sources.envoyProxies,
    (object, key, read) => {
      const uses = [...read.lookup(proxies.usesByProxy, key)].sort(([a], [b]) => compareStrings(a, b));
      return [[`EnvoyProxy/${key}`, { kind: "EnvoyProxy", object, uses: uses.map(([, use]) => use) }]];
    },
  );
  const tlsPolicyReports = createTlsPolicyReports(graph, sources, tlsPolicies, proxies, gateways, routes);
  const policyReports = createPolicyReports(graph, sources, policies, gateways, listeners, routes);
  return graph.union<StatusReport>(
    "statusReports",
    classes,
    gatewayReports,
    routeReports,
    backendReports,
    proxyReports,
    tlsPolicyReports,
    policyReports,
  );
}
