import type { ReferenceGrant } from "../api/gateway-api.ts";
import { resolveCertificates } from "../attach/certificates.ts";
import { bindPortOf, draftGateway, planGateway } from "../attach/gateway.ts";
import { type GatewayClassPlan, planGatewayClass } from "../attach/gateway-class.ts";
import { misdirectedHosts } from "../attach/misdirected.ts";
import {
  type GatewayDraft,
  type GatewayPlan,
  type ListenerCertificates,
  listenerKey,
  type PortPlan,
} from "../attach/model.ts";
import { overlappingTls } from "../attach/overlap.ts";
import { claimPort, meetingPlace, type PortClaim } from "../attach/port-claims.ts";
import { compareStrings, type FleetKey, type ObjectKey } from "../base/keys.ts";
import type { Problem } from "../base/problems.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import { type EncodedResource, sameResource } from "../envoy/resource.ts";
import { translateListener } from "../translate/listener.ts";
import type { ProxyNodes } from "./envoy-proxies.ts";
import { readSettings, type Sources } from "./sources.ts";

/** A resource that belongs to exactly one fleet. */
export interface FleetResource {
  readonly fleet: FleetKey;
  readonly resource: EncodedResource;
}

export function sameFleetResource(a: FleetResource, b: FleetResource): boolean {
  return a.fleet === b.fleet && sameResource(a.resource, b.resource);
}

/** A port that the Envoys of a fleet open, with the listeners of all its Gateways there. */
interface FleetPort extends Pick<GatewayPlan, "fleet" | "bindAddress"> {
  /** One of its Gateways: in what shapes listeners all of them are alike. */
  readonly gateway: ObjectKey;
  readonly port: PortPlan;
}

export interface GatewayNodes {
  readonly classPlans: Collection<GatewayClassPlan>;
  /** Gateways of classes of ours, accepted or not. */
  readonly plans: Collection<GatewayPlan>;
  /** Group: fleet. */
  readonly plansByFleet: Index<GatewayPlan>;
  /** Group: the namespace that grants. For every reference across namespaces, of listeners and routes alike. */
  readonly grantsByNamespace: Index<ReferenceGrant>;
  /** Key: listener (`listenerKey`), HTTPS only. */
  readonly certificates: Collection<ListenerCertificates>;
  /** Key: listener: that an HTTPS listener shares hostnames or certificates with another of its port. */
  readonly tlsOverlaps: Collection<Problem>;
  /** Key: route table of an HTTPS listener: hosts that other listeners of its port have. */
  readonly misdirected: Collection<readonly string[]>;
  /** Envoy Listeners by resource name. */
  readonly listeners: Collection<FleetResource>;
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
  const plans = createPlans(graph, sources, drafts);
  const { grantsByNamespace } = proxies;
  const certificates = graph.flatMap("listenerCertificates", plans, (plan, key, read) =>
    plan.listeners
      .filter(({ protocol }) => protocol === "HTTPS")
      .map((listener): [string, ListenerCertificates] => {
        const resolved = resolveCertificates(key, listener, {
          secret: (secretKey) => read.get(sources.secrets, secretKey),
          configMap: (configMapKey) => read.get(sources.configMaps, configMapKey),
          grants: (namespace) => read.lookup(grantsByNamespace, namespace).values(),
        });
        // Secrets of a listener that is off are judged for its status, and no Envoy gets them.
        return [`${key}/${listener.name}`, listener.valid ? resolved : { ...resolved, secrets: [] }];
      }),
  );
  const ports = graph.reduce(
    "fleetPorts",
    graph.index("plansByPort", plans, (plan) => plan.ports.map(({ name }) => name)),
    joinPort,
  );
  const certificatesOn = ({ listeners: some }: PortPlan, read: Reader) =>
    some.flatMap((listener) => read.get(certificates, listenerKey(listener)) ?? []);
  const tlsOverlaps = graph.flatMap("tlsOverlaps", ports, ({ port }, _name, read) =>
    overlappingTls(port, certificatesOn(port, read)),
  );
  const misdirected = graph.flatMap("misdirectedHosts", ports, ({ port }, _name, read) =>
    misdirectedHosts(port, certificatesOn(port, read)),
  );
  const listeners = graph.map(
    "listeners",
    ports,
    (place, _name, read): FleetResource | undefined => {
      const settings = read.get(proxies.listenerSettings, place.gateway);
      const resource = translateListener(
        place,
        place.port,
        (key) => read.get(certificates, key),
        // In a pod the port is its Envoy's alone, and every worker can have a socket of its own.
        { exclusivePort: readSettings(sources, read).hostInfrastructure, ...(settings && { settings }) },
      );
      return resource && { fleet: place.fleet, resource };
    },
    { equals: sameFleetResource },
  );
  const plansByFleet = graph.index("plansByFleet", plans, ({ fleet }) => fleet);
  return { classPlans, plans, plansByFleet, grantsByNamespace, certificates, tlsOverlaps, misdirected, listeners };
}

/** Ports are settled between Gateways only where they can meet: on one host, or in one fleet. */
function createPlans(graph: Graph, sources: Sources, drafts: Collection<GatewayDraft>): Collection<GatewayPlan> {
  const claims = graph.flatMap("portClaims", drafts, (draft, key, read): [string, PlacedClaim][] => {
    const { hostInfrastructure } = readSettings(sources, read);
    if (!hostInfrastructure && draft.fleet === key) return [];
    return draft.listeners
      .filter(({ valid }) => valid)
      .map((listener) => {
        const place = meetingPlace(draft.fleet, bindPortOf(listener.port, draft.portOffset), hostInfrastructure);
        return [listenerKey(listener), { place, ...claimPort(draft, listener) }];
      });
  });
  const claimsByPlace = graph.index("claimsByPlace", claims, ({ place }) => place);
  return graph.map("gatewayPlans", drafts, (draft, _key, read) => {
    const { hostInfrastructure } = readSettings(sources, read);
    return planGateway(draft, (bindPort) =>
      read.lookup(claimsByPlace, meetingPlace(draft.fleet, bindPort, hostInfrastructure)).values(),
    );
  });
}

interface PlacedClaim extends PortClaim {
  readonly place: string;
}

/** The Gateways that have the port agree about it: what they could not agree upon is refused. */
function joinPort(name: string, plans: ReadonlyMap<ObjectKey, GatewayPlan>): FleetPort | undefined {
  const sorted = [...plans.values()].sort((a, b) => compareStrings(a.key, b.key));
  const parts = sorted.flatMap(({ ports }) => ports.filter((port) => port.name === name));
  const [gateway, port] = [sorted[0], parts[0]];
  if (gateway === undefined || port === undefined) return undefined;
  const { key, fleet, bindAddress } = gateway;
  return {
    fleet,
    gateway: key,
    ...(bindAddress !== undefined && { bindAddress }),
    port: { ...port, listeners: parts.flatMap(({ listeners }) => listeners) },
  };
}
