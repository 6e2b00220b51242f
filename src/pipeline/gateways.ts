import type { Gateway, ReferenceGrant } from "../api/gateway-api.ts";
import { resolveCertificates } from "../attach/certificates.ts";
import { bindPortOf, planGateway } from "../attach/gateway.ts";
import { type GatewayClassPlan, planGatewayClass } from "../attach/gateway-class.ts";
import type { GatewayPlan, ListenerCertificates, Settings } from "../attach/model.ts";
import { overlappingTls } from "../attach/overlap.ts";
import { compareStrings, type ObjectKey } from "../base/keys.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import { type EncodedResource, sameResource } from "../envoy/resource.ts";
import { translateListener } from "../translate/listener.ts";
import { SETTINGS_KEY, type Sources } from "./sources.ts";

/** A resource that belongs to exactly one gateway. */
export interface GatewayResource {
  readonly gateway: ObjectKey;
  readonly resource: EncodedResource;
}

export function sameGatewayResource(a: GatewayResource, b: GatewayResource): boolean {
  return a.gateway === b.gateway && sameResource(a.resource, b.resource);
}

export interface GatewayNodes {
  readonly classPlans: Collection<GatewayClassPlan>;
  /** Gateways of accepted classes of ours. */
  readonly gateways: Collection<Gateway>;
  readonly plans: Collection<GatewayPlan>;
  /** Group: the namespace that grants. For every reference across namespaces, of listeners and routes alike. */
  readonly grantsByNamespace: Index<ReferenceGrant>;
  /** Key `<gateway>/<listener>`, HTTPS listeners only. */
  readonly certificates: Collection<ListenerCertificates>;
  /** Envoy Listeners by resource name. */
  readonly listeners: Collection<GatewayResource>;
}

export function readSettings(sources: Sources, read: Reader): Settings {
  const settings = read.get(sources.settings, SETTINGS_KEY);
  if (settings === undefined) throw new Error("the settings source is empty");
  return settings;
}

/** Classes, Gateways, their listeners and certificates. A certificate's content is not among the inputs of a Listener. */
export function createGatewayNodes(graph: Graph, sources: Sources): GatewayNodes {
  const classPlans = graph.map("classPlans", sources.gatewayClasses, (gatewayClass, _key, read) =>
    planGatewayClass(gatewayClass, readSettings(sources, read)),
  );
  const gateways = graph.map("ourGateways", sources.gateways, (gateway, _key, read) =>
    read.get(classPlans, gateway.spec.gatewayClassName)?.accepted ? gateway : undefined,
  );
  const gatewaysByPort = graph.index(
    "gatewaysByPort",
    gateways,
    (gateway) => new Set(gateway.spec.listeners.map((listener) => String(listener.port))),
  );
  const plans = graph.map("gatewayPlans", gateways, (gateway, key, read) => {
    const settings = readSettings(sources, read);
    return planGateway(gateway, settings, (bindPort) =>
      findPortOwner(key, gateway, bindPort, settings, gatewaysByPort, read),
    );
  });
  const grantsByNamespace = graph.index("grantsByNamespace", sources.referenceGrants, (grant) => [
    grant.metadata.namespace ?? "",
  ]);
  const certificates = graph.flatMap("listenerCertificates", plans, (plan, key, read) =>
    plan.listeners
      .filter((listener) => listener.valid && listener.protocol === "HTTPS")
      .map(
        (listener) =>
          [
            `${key}/${listener.name}`,
            resolveCertificates(key, listener, {
              secret: (secretKey) => read.get(sources.secrets, secretKey),
              grants: (namespace) => read.lookup(grantsByNamespace, namespace).values(),
            }),
          ] as const,
      ),
  );
  const listeners = graph.flatMap(
    "listeners",
    plans,
    (plan, key, read) => translateListeners(plan, key, (listener) => read.get(certificates, `${key}/${listener}`)),
    { equals: sameGatewayResource },
  );
  return { classPlans, gateways, plans, grantsByNamespace, certificates, listeners };
}

function translateListeners(
  plan: GatewayPlan,
  gateway: ObjectKey,
  certificates: (listener: string) => ListenerCertificates | undefined,
): [string, GatewayResource][] {
  const overlaps = overlappingTls(
    plan,
    plan.listeners.flatMap((listener) => certificates(listener.name) ?? []),
  );
  return plan.ports.flatMap((port) => {
    const resource = translateListener(plan, port, certificates, overlaps);
    return resource === undefined ? [] : [[resource.name, { gateway, resource }] as [string, GatewayResource]];
  });
}

/**
 * On host infrastructure all Gateways share the host's ports: the oldest Gateway owns a port, the others are told so. Ports are
 * compared as bound, since an offset can make two different ports meet. Returns undefined when `key` may have the port.
 */
function findPortOwner(
  key: ObjectKey,
  gateway: Gateway,
  bindPort: number,
  settings: Settings,
  gatewaysByPort: Index<Gateway>,
  read: Reader,
): ObjectKey | undefined {
  if (!settings.hostInfrastructure) return undefined;
  const candidates = [bindPort, bindPort - settings.privilegedPortOffset].filter(
    (port, position, all) => port > 0 && all.indexOf(port) === position && bindPortOf(port, settings) === bindPort,
  );
  let owner: [ObjectKey, Gateway] = [key, gateway];
  for (const port of candidates) {
    for (const [otherKey, other] of read.lookup(gatewaysByPort, String(port))) {
      if (sharesAddress(gateway, other) && isOlder([otherKey, other], owner)) owner = [otherKey, other];
    }
  }
  return owner[0] === key ? undefined : owner[0];
}

function sharesAddress(a: Gateway, b: Gateway): boolean {
  const [left, right] = [a.spec.addresses?.[0]?.value, b.spec.addresses?.[0]?.value];
  return left === undefined || right === undefined || left === right;
}

function isOlder(a: [ObjectKey, Gateway], b: [ObjectKey, Gateway]): boolean {
  const byTime = compareStrings(a[1].metadata.creationTimestamp ?? "", b[1].metadata.creationTimestamp ?? "");
  return byTime < 0 || (byTime === 0 && compareStrings(a[0], b[0]) < 0);
}
