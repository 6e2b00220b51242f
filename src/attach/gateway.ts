import { isIP } from "node:net";
import type { Gateway } from "../api/gateway-api.ts";
import { type FleetKey, objectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import { podPorts } from "../envoy/pod-ports.ts";
import { findInsecureFrontend, frontendValidation } from "./client-validation.ts";
import { type ProxyLevel, parameterProblems } from "./envoy-proxy.ts";
import type { GatewayClassPlan } from "./gateway-class.ts";
import { reservedAnnotations, reservedLabels } from "./infrastructure-name.ts";
import { planListener } from "./listener.ts";
import { findConflicts, nameRival } from "./listener-conflicts.ts";
import { carriesStreams, isServedProtocol, type Transport, transportOf } from "./listener-protocol.ts";
import { compareListenerSets, judgeListenerSet, type ListenerSetDraft, type NamespaceLabels } from "./listener-set.ts";
import {
  type GatewayDraft,
  type GatewayPlan,
  LISTENERS_MAX,
  type ListenerPlan,
  listenerKey,
  type PortPlan,
  type Settings,
} from "./model.ts";
import { claimPorts, findRivals, type PortClaim, type PortRivals, settleListener } from "./port-claims.ts";
import { namePort } from "./resource-names.ts";
import type { RoutingSettings } from "./routing-settings.ts";

const FIRST_UNPRIVILEGED_PORT = 1024;

/** The port that Envoy binds for a port of a listener. */
export function bindPortOf(port: number, offset: number): number {
  return port < FIRST_UNPRIVILEGED_PORT ? port + offset : port;
}

/** What the EnvoyProxy in effect means for a Gateway's listeners. */
export interface GatewayParameters {
  readonly fleet: FleetKey;
  /** Why it cannot be used. What runs already goes on, so listeners stay; nothing new is started. */
  readonly problems: readonly Problem[];
  readonly portOffset: number;
  readonly routing?: RoutingSettings;
  /** Why the reference of a Gateway to an EnvoyProxy is wrong where it would have no effect in any case; costs this Gateway alone. */
  readonly vainReference?: string;
  /** Why no Gateway of the fleet can have addresses of its own; completes a sentence about `spec.addresses`. */
  readonly commonAddress?: string;
}

export function planParameters(
  gateway: Gateway,
  level: ProxyLevel,
  fleet: FleetKey,
  settings: Settings,
  routing?: RoutingSettings,
): GatewayParameters {
  const { infrastructure } = gateway.spec;
  const isMerged = fleet !== objectKey(gateway.metadata.namespace, gateway.metadata.name);
  const own = infrastructure?.parametersRef !== undefined && !isMerged;
  const common =
    isMerged && (settings.hostInfrastructure || level.spec.provider?.kubernetes?.envoyService?.type === "ClusterIP");
  const keepsPorts = !settings.hostInfrastructure && level.spec.provider?.kubernetes?.useListenerPortAsContainerPort;
  return {
    fleet,
    ...(common && {
      commonAddress: `cannot be chosen, because all Gateways of GatewayClass ${fleet} share one; remove it`,
    }),
    ...(level.vainReference !== undefined && { vainReference: level.vainReference }),
    problems: parameterProblems(level, own ? "spec.infrastructure.parametersRef" : "spec.gatewayClassName"),
    portOffset: keepsPorts ? 0 : settings.privilegedPortOffset,
    ...(routing && { routing }),
  };
}

/** ListenerSets that name a Gateway, in any order, and what decides whether it takes them. */
export interface NamedBy {
  readonly listenerSets: Iterable<ListenerSetDraft>;
  readonly labelsOf: NamespaceLabels;
}

/** What the listeners of a Gateway and of its ListenerSets come to without a look at other Gateways. O(n log n). */
export function draftGateway(
  gateway: Gateway,
  gatewayClass: GatewayClassPlan,
  parameters: GatewayParameters,
  settings: Settings,
  namedBy: NamedBy = { listenerSets: [], labelsOf: () => ({}) },
): GatewayDraft {
  const key = objectKey(gateway.metadata.namespace, gateway.metadata.name);
  const { fleet, portOffset, routing } = parameters;
  const address = judgeAddresses(gateway, parameters, settings);
  const problems = [...judgeUnsupported(gateway), ...judgeVainReference(parameters), ...address.problems];
  const own = gateway.spec.listeners.map((listener, index) => planListener({ gateway: key }, listener, index));
  const sets = [...namedBy.listenerSets].sort(compareListenerSets).map((set) => {
    return { ...set, problems: judgeListenerSet(gateway, set, namedBy.labelsOf) };
  });
  const sources = [own, ...sets.flatMap((set) => (set.problems.length === 0 ? [set.listeners] : []))];
  const conflicts = findConflicts(sources);
  const judged = sources.flat().map((listener) => {
    const single = refuse(listener, conflicts.get(listener) ?? []);
    const validation = validateClients(gateway, listener);
    // What is the same object as before need not be compared.
    return validation === undefined ? single : { ...single, ...validation };
  });
  const separate = separatePorts(settings.hostInfrastructure ? judged : keepOwnPorts(judged, portOffset), portOffset);
  const limited = limitListeners(separate, settings.listenersMax ?? LISTENERS_MAX);
  const listeners = problems.length > 0 ? limited.map((listener) => ({ ...listener, valid: false })) : limited;
  const insecure = findInsecureFrontend(gateway);
  return {
    key,
    fleet,
    className: gatewayClass.name,
    controllerName: gatewayClass.controllerName,
    created: gateway.metadata.creationTimestamp ?? "",
    listeners,
    listenerSets: sets.map(({ key: set, created, problems: refusals }) => ({ key: set, created, problems: refusals })),
    problems: [...problems, ...parameters.problems],
    ...(insecure && { notices: [insecure] }),
    portOffset,
    addresses: address.addresses ?? [],
    ...(routing && { routing }),
    ...(address.bindAddress !== undefined && { bindAddress: address.bindAddress }),
  };
}

/**
 * @param claimsAt those that meet at a port that is bound and are of concern to the Gateway's own there: the first ({@link firstClaims}),
 *   and those within reach of one of its own ({@link reachOf}); its own may be among them; none where they never meet
 */
export function planGateway(
  whole: GatewayDraft,
  claimsAt: (bindPort: number, transport: Transport, own: readonly PortClaim[]) => Iterable<PortClaim>,
): GatewayPlan {
  const { created: _, ...draft } = whole;
  const claims = claimPorts(whole);
  const placeOf = (listener: ListenerPlan) =>
    `${transportOf(listener.protocol)} ${bindPortOf(listener.port, draft.portOffset)}`;
  const ownByPlace = Map.groupBy(claims, ([listener]) => placeOf(listener));
  const rivals = new Map<string, PortRivals>();
  const settled = draft.listeners.map((listener) => {
    const own = claims.get(listener);
    if (own === undefined) return listener;
    const bindPort = bindPortOf(listener.port, draft.portOffset);
    const transport = transportOf(listener.protocol);
    const place = placeOf(listener);
    const there = (ownByPlace.get(place) ?? []).map(([, claim]) => claim);
    const known = rivals.get(place) ?? findRivals(draft, bindPort, claimsAt(bindPort, transport, there));
    rivals.set(place, known);
    return settleListener(own, listener, known);
  });
  return { ...draft, ...planPorts(draft, settled) };
}

function refuse(listener: ListenerPlan, problems: readonly Problem[]): ListenerPlan {
  if (problems.length === 0) return listener;
  return { ...listener, problems: [...listener.problems, ...problems], valid: false };
}

/** The Gateway says how clients of its ports are verified, whosever listeners are there. */
function validateClients(
  gateway: Gateway,
  { protocol, port }: ListenerPlan,
): Pick<ListenerPlan, "frontendValidation"> | undefined {
  const validation = protocol === "HTTPS" ? frontendValidation(gateway, port) : undefined;
  return validation && { frontendValidation: validation };
}

/** Those that come last have no place. What does not serve anyway takes none. */
function limitListeners(listeners: readonly ListenerPlan[], max: number): readonly ListenerPlan[] {
  if (listeners.length <= max) return listeners;
  let served = 0;
  return listeners.map((listener) => {
    if (!listener.valid) return listener;
    served += 1;
    if (served <= max) return listener;
    const text = `is beyond the ${max} listeners that a Gateway can have with its ListenerSets; remove some, or make it part of another Gateway`;
    return refuse(listener, [problemAt("Accepted", "TooManyListeners", `spec.listeners[${listener.index}]`, text)]);
  });
}

/** All HTTP listeners of a port share a route table, an HTTPS listener has its own, and others need none. */
function planPorts(
  { key, fleet, portOffset }: Omit<GatewayDraft, "created">,
  listeners: readonly ListenerPlan[],
): { listeners: ListenerPlan[]; ports: PortPlan[] } {
  const firstByPlace = new Map<string, ListenerPlan>();
  const named = listeners.map((listener): ListenerPlan => {
    if (!listener.valid) return listener;
    const place = placeOf(listener);
    const first = firstByPlace.get(place) ?? listener;
    firstByPlace.set(place, first);
    if (carriesStreams(listener.protocol)) return listener;
    const { httpTable } = namePort(key, fleet, portOf(listener), first);
    return { ...listener, routeTable: listener.protocol === "HTTPS" ? listenerKey(listener) : httpTable };
  });
  const membersByPlace = Map.groupBy(
    named.filter(({ valid }) => valid),
    placeOf,
  );
  const ports = [...firstByPlace].flatMap(([place, first]): PortPlan[] => {
    const { port, protocol } = first;
    if (!isServedProtocol(protocol)) return [];
    const members = membersByPlace.get(place) ?? [];
    const name = namePort(key, fleet, portOf(first), first).listener;
    return [{ port, bindPort: bindPortOf(port, portOffset), protocol, name, listeners: members }];
  });
  return { listeners: named, ports: ports.sort((a, b) => a.port - b.port) };
}

function portOf({ port, protocol }: ListenerPlan): { readonly transport: Transport; readonly port: number } {
  return { transport: transportOf(protocol), port };
}

/** Listeners that stand at one place share a port of Envoy. */
function placeOf({ port, protocol }: ListenerPlan): string {
  return `${transportOf(protocol)} ${port}`;
}

/** Ports that Envoy's pod itself opens, for probes, metrics and draining, are no listener's. */
function keepOwnPorts(listeners: readonly ListenerPlan[], portOffset: number): ListenerPlan[] {
  const own: readonly number[] = Object.values(podPorts);
  return listeners.map((listener) => {
    if (transportOf(listener.protocol) === "UDP" || !own.includes(bindPortOf(listener.port, portOffset)))
      return listener;
    const text = `is ${listener.port}, which Envoy's own pages have in its pod; choose another port`;
    return refuse(listener, [problemAt("Accepted", "PortUnavailable", `spec.listeners[${listener.index}].port`, text)]);
  });
}

/** Two ports of the spec can meet in one that is bound, when those below 1024 are moved: the first in the spec has it. */
function separatePorts(listeners: readonly ListenerPlan[], portOffset: number): ListenerPlan[] {
  const firstByBindPort = new Map<string, ListenerPlan>();
  return listeners.map((listener) => {
    if (!listener.valid) return listener;
    const bindPort = bindPortOf(listener.port, portOffset);
    const place = `${transportOf(listener.protocol)} ${bindPort}`;
    const first = firstByBindPort.get(place) ?? listener;
    firstByBindPort.set(place, first);
    if (first.port === listener.port) return listener;
    const text = `is ${listener.port}, and with ports below ${FIRST_UNPRIVILEGED_PORT} bound ${portOffset} higher here it means port ${bindPort} of this host like port ${first.port} of ${nameRival(listener, first)}; choose another port`;
    return refuse(listener, [problemAt("Accepted", "PortUnavailable", `spec.listeners[${listener.index}].port`, text)]);
  });
}

/** Fields that this version does not implement are refused rather than ignored. */
function judgeUnsupported(gateway: Gateway): Problem[] {
  const problems: Problem[] = [];
  const report = (reason: string, field: string) => {
    problems.push(problemAt("Accepted", reason, field, "is not implemented in this version; remove it"));
  };
  const { infrastructure } = gateway.spec;
  for (const [field, names, reserved] of [
    ["labels", infrastructure?.labels, reservedLabels],
    ["annotations", infrastructure?.annotations, reservedAnnotations],
  ] as const) {
    const name = Object.keys(names ?? {}).find((each) => reserved.has(each));
    if (name === undefined) continue;
    const text = "is one by which Gatehouse finds its objects; choose another";
    problems.push(problemAt("Accepted", "InvalidParameters", `spec.infrastructure.${field}["${name}"]`, text));
  }
  const { defaultScope } = gateway.spec as { defaultScope?: string };
  if (defaultScope !== undefined && defaultScope !== "None") report("Invalid", "spec.defaultScope");
  return problems;
}

/** Gateway API, GatewayInfrastructure.parametersRef: what cannot be found, or is of an unknown kind, refuses the Gateway. */
function judgeVainReference({ vainReference }: GatewayParameters): Problem[] {
  if (vainReference === undefined) return [];
  return [problemAt("Accepted", "InvalidParameters", "spec.infrastructure.parametersRef", vainReference)];
}

interface AddressPlan {
  readonly addresses?: readonly string[];
  readonly bindAddress?: string;
  readonly problems: readonly Problem[];
}

/** On a host an address is bound, so there is one; in a cluster the Service is reached at all of them. */
function judgeAddresses(
  gateway: Gateway,
  { commonAddress }: GatewayParameters,
  { hostInfrastructure }: Settings,
): AddressPlan {
  const wanted = gateway.spec.addresses ?? [];
  const report = (field: string, text: string): AddressPlan => ({
    problems: [problemAt("Accepted", "UnsupportedAddress", field, text)],
  });
  if (commonAddress !== undefined && wanted.length > 0) return report("spec.addresses", commonAddress);
  const other = wanted.findIndex(({ type }) => (type ?? "IPAddress") !== "IPAddress");
  if (other >= 0) {
    const type = wanted[other]?.type;
    return report(`spec.addresses[${other}].type`, `is ${type}, and only IPAddress is served; use an IP address`);
  }
  if (hostInfrastructure && wanted.length > 1) {
    return report("spec.addresses", "has several entries, and one is served; keep one");
  }
  // An address of no value asks for any, and any is what a Gateway without addresses gets.
  const addresses = wanted.flatMap(({ value }) => (value === undefined || value === "" ? [] : [value]));
  const unusable = addresses.findIndex((address) => isIP(address) === 0);
  if (unusable >= 0) {
    const place = hostInfrastructure ? "write one of this host's" : "write one that leads to the cluster";
    return report(`spec.addresses[${unusable}].value`, `is ${addresses[unusable]}, which is no IP address; ${place}`);
  }
  const [first] = addresses;
  return { addresses, problems: [], ...(hostInfrastructure && first !== undefined && { bindAddress: first }) };
}
