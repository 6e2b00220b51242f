import type { ReferenceGrant } from "../api/gateway-api.ts";
import { resolveCertificates } from "../attach/certificates.ts";
import { claimedPorts, draftGateway, planGateway } from "../attach/gateway.ts";
import { type GatewayClassPlan, planGatewayClass } from "../attach/gateway-class.ts";
import type { GatewayDraft, GatewayPlan, ListenerCertificates } from "../attach/model.ts";
import { overlappingTls } from "../attach/overlap.ts";
import { compareStrings, type ObjectKey } from "../base/keys.ts";
import type { Problem } from "../base/problems.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import { type EncodedResource, sameResource } from "../envoy/resource.ts";
import { translateListener } from "../translate/listener.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import { readSettings, type Sources } from "./sources.ts";

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
  /** Gateways of classes of ours, accepted or not. */
  readonly plans: Collection<GatewayPlan>;
  /** Group: the namespace that grants. For every reference across namespaces, of listeners and routes alike. */
  readonly grantsByNamespace: Index<ReferenceGrant>;
  /** Key `<gateway>/<listener>`, HTTPS listeners only. */
  readonly certificates: Collection<ListenerCertificates>;
  /** Key `<gateway>/<listener>`: that an HTTPS listener shares hostnames or certificates with another of its port. */
  readonly tlsOverlaps: Collection<Problem>;
  /** Envoy Listeners by resource name. */
  readonly listeners: Collection<GatewayResource>;
}

/** Classes, Gateways, their listeners and certificates. A certificate's content is not among the inputs of a Listener. */
export function createGatewayNodes(graph: Graph, sources: Sources, proxies: ProxyNodes): GatewayNodes {
  const classPlans = graph.map("classPlans", sources.gatewayClasses, (gatewayClass, key, read) =>
    planGatewayClass(gatewayClass, readSettings(sources, read), read.get(proxies.ofClasses, key)),
  );
  const drafts = graph.map("gatewayDrafts", sources.gateways, (gateway, key, read) => {
    const gatewayClass = read.get(classPlans, gateway.spec.gatewayClassName);
    const parameters = read.get(proxies.parameters, key);
    if (gatewayClass === undefined || parameters === undefined) return undefined;
    return draftGateway(gateway, gatewayClass, parameters, readSettings(sources, read));
  });
  const claims = graph.flatMap("portClaims", drafts, (draft, key, read): [string, PortClaim][] => {
    if (!readSettings(sources, read).hostInfrastructure) return [];
    return claimedPorts(draft).map((port) => [`${key}|${port}`, claimPort(draft, port)]);
  });
  const claimsByPort = graph.index("claimsByPort", claims, ({ port }) => [port]);
  const plans = graph.map("gatewayPlans", drafts, (draft, _key, read) =>
    planGateway(draft, (port) => findPortOwner(claimPort(draft, port), claimsByPort, read)),
  );
  const { grantsByNamespace } = proxies;
  const certificates = graph.flatMap("listenerCertificates", plans, (plan, key, read) =>
    plan.listeners
      .filter(({ protocol }) => protocol === "HTTPS")
      .map((listener): [string, ListenerCertificates] => {
        const resolved = resolveCertificates(key, listener, {
          secret: (secretKey) => read.get(sources.secrets, secretKey),
          grants: (namespace) => read.lookup(grantsByNamespace, namespace).values(),
        });
        // Secrets of a listener that is off are judged for its status, and no Envoy gets them.
        return [`${key}/${listener.name}`, listener.valid ? resolved : { ...resolved, secrets: [] }];
      }),
  );
  const tlsOverlaps = graph.flatMap("tlsOverlaps", plans, (plan, key, read) => {
    const held = plan.listeners.flatMap(({ name }) => read.get(certificates, `${key}/${name}`) ?? []);
    return [...overlappingTls(plan, held)].map(([name, overlap]) => [`${key}/${name}`, overlap] as const);
  });
  const listeners = graph.flatMap(
    "listeners",
    plans,
    (plan, key, read) =>
      plan.ports.flatMap((port): [string, GatewayResource][] => {
        const settings = read.get(proxies.listenerSettings, key);
        const resource = translateListener(
          plan,
          port,
          (name) => read.get(certificates, `${key}/${name}`),
          { has: (name) => read.get(tlsOverlaps, `${key}/${name}`) !== undefined },
          // In a pod the port is its Envoy's alone, and every worker can have a socket of its own.
          { exclusivePort: readSettings(sources, read).hostInfrastructure, ...(settings && { settings }) },
        );
        return resource === undefined ? [] : [[resource.name, { gateway: key, resource }]];
      }),
    { equals: sameGatewayResource },
  );
  return { classPlans, plans, grantsByNamespace, certificates, tlsOverlaps, listeners };
}

/** That a Gateway could serve a port of this host, and since when. */
interface PortClaim {
  readonly gateway: ObjectKey;
  /** As bound, so that an offset which makes two ports meet is seen. */
  readonly port: string;
  readonly created: string;
  readonly bindAddress?: string;
}

function claimPort({ key, created, bindAddress }: GatewayDraft, port: number): PortClaim {
  return { gateway: key, port: String(port), created, ...(bindAddress !== undefined && { bindAddress }) };
}

/**
 * On host infrastructure all Gateways share the host's ports: the oldest Gateway that could serve a port owns it, the others
 * are told so. Returns undefined when the claimant may have the port.
 */
function findPortOwner(claim: PortClaim, claimsByPort: Index<PortClaim>, read: Reader): ObjectKey | undefined {
  let owner = claim;
  for (const other of read.lookup(claimsByPort, claim.port).values()) {
    if (sharesAddress(claim, other) && isOlder(other, owner)) owner = other;
  }
  return owner.gateway === claim.gateway ? undefined : owner.gateway;
}

function sharesAddress(a: PortClaim, b: PortClaim): boolean {
  return a.bindAddress === undefined || b.bindAddress === undefined || a.bindAddress === b.bindAddress;
}

function isOlder(a: PortClaim, b: PortClaim): boolean {
  return (compareStrings(a.created, b.created) || compareStrings(a.gateway, b.gateway)) < 0;
}
