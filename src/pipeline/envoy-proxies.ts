import { type ProxyLevel, type ProxyReader, resolveClassProxy, resolveGatewayProxy } from "../attach/envoy-proxy.ts";
import { type GatewayParameters, planParameters } from "../attach/gateway.ts";
import type { Settings } from "../attach/model.ts";
import type { ObjectKey } from "../base/keys.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import { judgeBootstrap } from "../translate/proxy-bootstrap.ts";
import { readSettings, type Sources } from "./sources.ts";

/** That a GatewayClass or Gateway of ours refers to an EnvoyProxy. */
export interface ProxyUse {
  readonly proxy: ObjectKey;
  readonly ancestor: { readonly kind: "GatewayClass" | "Gateway"; readonly key: ObjectKey };
  readonly level: Pick<ProxyLevel, "refused" | "warnings">;
}

export interface ProxyNodes {
  /** Key: class of ours. */
  readonly ofClasses: Collection<ProxyLevel>;
  /** Key: Gateway of a class of ours: the EnvoyProxy in effect. */
  readonly ofGateways: Collection<ProxyLevel>;
  /** Key: Gateway. The little of it on which listeners depend. */
  readonly parameters: Collection<GatewayParameters>;
  /** Group: EnvoyProxy. */
  readonly usesByProxy: Index<ProxyUse>;
}

/** The EnvoyProxy in effect for each Gateway. One that changes re-runs only the Gateways that use it. */
export function createProxyNodes(graph: Graph, sources: Sources): ProxyNodes {
  const reader =
    (read: Reader): ProxyReader =>
    (key) =>
      read.get(sources.envoyProxies, key);
  const ofClasses = graph.map("classProxies", sources.gatewayClasses, (gatewayClass, _name, read) => {
    const settings = readSettings(sources, read);
    if (!settings.controllerNames.includes(gatewayClass.spec.controllerName)) return undefined;
    return withBootstrap(resolveClassProxy(gatewayClass, settings, reader(read)), settings);
  });
  const ofGateways = graph.map("gatewayProxies", sources.gateways, (gateway, _key, read) => {
    const classLevel = read.get(ofClasses, gateway.spec.gatewayClassName);
    if (classLevel === undefined) return undefined;
    const settings = readSettings(sources, read);
    const level = resolveGatewayProxy(gateway, classLevel, settings, reader(read));
    return level.source === undefined ? level : withBootstrap(level, settings);
  });
  const parameters = graph.map("gatewayParameters", ofGateways, (level, key, read) => {
    const gateway = read.get(sources.gateways, key);
    return gateway && planParameters(gateway, level, readSettings(sources, read));
  });
  const uses = graph.union("proxyUses", usesOf(graph, "GatewayClass", ofClasses), usesOf(graph, "Gateway", ofGateways));
  return { ofClasses, ofGateways, parameters, usesByProxy: graph.index("usesByProxy", uses, ({ proxy }) => [proxy]) };
}

function withBootstrap(level: ProxyLevel, settings: Settings): ProxyLevel {
  const findings = judgeBootstrap(level.spec, settings);
  return findings.length === 0 ? level : { ...level, refused: [...level.refused, ...findings] };
}

function usesOf(graph: Graph, kind: "GatewayClass" | "Gateway", levels: Collection<ProxyLevel>): Collection<ProxyUse> {
  return graph.flatMap(`proxyUsesOf${kind}`, levels, ({ source, reference, refused, warnings }, key) =>
    source === undefined || reference !== undefined
      ? []
      : [[`${kind}/${key}`, { proxy: source, ancestor: { kind, key }, level: { refused, warnings } }] as const],
  );
}
