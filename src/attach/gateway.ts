import { isIP } from "node:net";
import type { Gateway } from "../api/gateway-api.ts";
import { type ObjectKey, objectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import type { GatewayClassPlan } from "./gateway-class.ts";
import { planListener } from "./listener.ts";
import { findConflicts } from "./listener-conflicts.ts";
import type { GatewayDraft, GatewayPlan, ListenerPlan, PortPlan, Settings } from "./model.ts";

const FIRST_UNPRIVILEGED_PORT = 1024;

/** The port that Envoy binds for a port of a listener. */
export function bindPortOf(port: number, settings: Settings): number {
  return port < FIRST_UNPRIVILEGED_PORT ? port + settings.privilegedPortOffset : port;
}

/** What a Gateway's listeners come to without a look at other Gateways. O(listeners²) for conflicts, at most 64 of them. */
export function draftGateway(gateway: Gateway, gatewayClass: GatewayClassPlan, settings: Settings): GatewayDraft {
  const address = judgeAddresses(gateway, settings);
  const problems = [...judgeClass(gatewayClass), ...judgeUnsupported(gateway), ...address.problems];
  const single = gateway.spec.listeners.map((listener, index) => planListener(gateway, listener, index));
  const conflicts = findConflicts(single);
  const judged = single.map((listener) => refuse(listener, conflicts.get(listener.name) ?? []));
  const separate = separatePorts(judged, settings);
  const listeners = problems.length > 0 ? separate.map((listener) => ({ ...listener, valid: false })) : separate;
  return {
    key: objectKey(gateway.metadata.namespace, gateway.metadata.name),
    className: gatewayClass.name,
    controllerName: gatewayClass.controllerName,
    created: gateway.metadata.creationTimestamp ?? "",
    listeners,
    problems,
    ...(address.bindAddress !== undefined && { bindAddress: address.bindAddress }),
  };
}

/** @param portOwner the older Gateway that has a port of this host already, by the port that is bound */
export function planGateway(
  { created: _, ...draft }: GatewayDraft,
  settings: Settings,
  portOwner: (bindPort: number) => ObjectKey | undefined,
): GatewayPlan {
  const judged = draft.listeners.map((listener) => refuse(listener, judgePort(listener, settings, portOwner)));
  return { ...draft, ...planPorts(draft.key, judged, settings) };
}

/** Ports that a Gateway would bind if no other had them. Ascending, each once. */
export function claimedPorts({ listeners }: GatewayDraft, settings: Settings): number[] {
  const ports = listeners.filter(({ valid }) => valid).map(({ port }) => bindPortOf(port, settings));
  return [...new Set(ports)].sort((a, b) => a - b);
}

function refuse(listener: ListenerPlan, problems: readonly Problem[]): ListenerPlan {
  if (problems.length === 0) return listener;
  return { ...listener, problems: [...listener.problems, ...problems], valid: false };
}

/** Names follow Envoy Gateway: all HTTP listeners of a port share the table of the first, an HTTPS listener has its own. */
function planPorts(
  key: ObjectKey,
  listeners: readonly ListenerPlan[],
  settings: Settings,
): { listeners: ListenerPlan[]; ports: PortPlan[] } {
  const firstByPort = new Map<number, string>();
  const named = listeners.map((listener): ListenerPlan => {
    if (!listener.valid) return listener;
    const first = firstByPort.get(listener.port) ?? listener.name;
    firstByPort.set(listener.port, first);
    return { ...listener, routeTable: `${key}/${listener.protocol === "HTTPS" ? listener.name : first}` };
  });
  const ports = [...firstByPort].map(([port, first]): PortPlan => {
    const members = named.filter((listener) => listener.valid && listener.port === port);
    const protocol = members[0]?.protocol === "HTTPS" ? "HTTPS" : "HTTP";
    return { port, bindPort: bindPortOf(port, settings), protocol, name: `${key}/${first}`, listeners: members };
  });
  return { listeners: named, ports: ports.sort((a, b) => a.port - b.port) };
}

function judgePort(
  listener: ListenerPlan,
  settings: Settings,
  portOwner: (bindPort: number) => ObjectKey | undefined,
): Problem[] {
  const bindPort = bindPortOf(listener.port, settings);
  const owner = portOwner(bindPort);
  if (owner === undefined) return [];
  const text = `means port ${bindPort} of this host, which the older Gateway ${owner} has; choose another port, or give both Gateways addresses of their own`;
  return [problemAt("Accepted", "PortUnavailable", `spec.listeners[${listener.index}].port`, text)];
}

/** Two ports of the spec can meet in one that is bound, when those below 1024 are moved: the first in the spec has it. */
function separatePorts(listeners: readonly ListenerPlan[], settings: Settings): ListenerPlan[] {
  const firstByBindPort = new Map<number, ListenerPlan>();
  return listeners.map((listener) => {
    if (!listener.valid) return listener;
    const bindPort = bindPortOf(listener.port, settings);
    const first = firstByBindPort.get(bindPort) ?? listener;
    firstByBindPort.set(bindPort, first);
    if (first.port === listener.port) return listener;
    const text = `is ${listener.port}, and with ports below ${FIRST_UNPRIVILEGED_PORT} bound ${settings.privilegedPortOffset} higher here it means port ${bindPort} of this host like port ${first.port} of listener ${first.name}; choose another port`;
    return refuse(listener, [problemAt("Accepted", "PortUnavailable", `spec.listeners[${listener.index}].port`, text)]);
  });
}

function judgeClass({ name, accepted, problems }: GatewayClassPlan): Problem[] {
  if (accepted) return [];
  const text = `names GatewayClass ${name}, which is not accepted; see the conditions of the class`;
  return [problemAt("Accepted", problems[0]?.reason ?? "Invalid", "spec.gatewayClassName", text)];
}

/** Fields that this version does not implement are refused rather than ignored. */
function judgeUnsupported(gateway: Gateway): Problem[] {
  const problems: Problem[] = [];
  const report = (reason: string, field: string) => {
    problems.push(problemAt("Accepted", reason, field, "is not implemented in this version; remove it"));
  };
  const { infrastructure, tls } = gateway.spec;
  if (infrastructure?.parametersRef !== undefined) report("InvalidParameters", "spec.infrastructure.parametersRef");
  if (tls?.frontend !== undefined) report("Invalid", "spec.tls.frontend");
  if (tls?.backend !== undefined) report("Invalid", "spec.tls.backend");
  const { defaultScope } = gateway.spec as { defaultScope?: string };
  if (defaultScope !== undefined && defaultScope !== "None") report("Invalid", "spec.defaultScope");
  return problems;
}

function judgeAddresses(gateway: Gateway, settings: Settings): { bindAddress?: string; problems: Problem[] } {
  const addresses = gateway.spec.addresses ?? [];
  const [first] = addresses;
  if (first === undefined) return { problems: [] };
  const report = (field: string, text: string) => ({
    problems: [problemAt("Accepted", "UnsupportedAddress", field, text)],
  });
  const other = addresses.findIndex(({ type }) => (type ?? "IPAddress") !== "IPAddress");
  if (other >= 0) {
    const type = addresses[other]?.type;
    return report(`spec.addresses[${other}].type`, `is ${type}, and only IPAddress is served; use an IP address`);
  }
  if (addresses.length > 1) return report("spec.addresses", "has several entries, and one is served; keep one");
  // An address of no value asks for any, and any is what a Gateway without addresses gets.
  if (first.value === undefined || first.value === "") return { problems: [] };
  if (!settings.hostInfrastructure) return report("spec.addresses[0]", "is not implemented in this version; remove it");
  if (isIP(first.value) === 0) {
    return report("spec.addresses[0].value", `is ${first.value}, which is no IP address; write one of this host's`);
  }
  return { bindAddress: first.value, problems: [] };
}
