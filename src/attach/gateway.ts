import { isIP } from "node:net";
import type { Gateway } from "../api/gateway-api.ts";
import { type ObjectKey, objectKey } from "../base/keys.ts";
import type { Problem } from "../base/problems.ts";
import { planListener } from "./listener.ts";
import { findConflicts } from "./listener-conflicts.ts";
import type { GatewayPlan, ListenerPlan, PortPlan, Settings } from "./model.ts";

const FIRST_UNPRIVILEGED_PORT = 1024;

/** The port that Envoy binds for a port of a listener. */
export function bindPortOf(port: number, settings: Settings): number {
  return port < FIRST_UNPRIVILEGED_PORT ? port + settings.privilegedPortOffset : port;
}

/**
 * What a Gateway's listeners come to, by themselves. O(listeners²) for conflicts, at most 64 of them.
 * @param portOwner the older Gateway that has a port of this host already, by the port that is bound
 */
export function planGateway(
  gateway: Gateway,
  settings: Settings,
  portOwner: (bindPort: number) => ObjectKey | undefined,
): GatewayPlan {
  const key = objectKey(gateway.metadata.namespace, gateway.metadata.name);
  const address = judgeAddresses(gateway, key, settings);
  const problems = [...judgeUnsupported(gateway, key), ...address.problems];
  const refused = problems.some((problem) => problem.condition === "Accepted");
  const single = gateway.spec.listeners.map((listener, index) => planListener(gateway, listener, index));
  const conflicts = findConflicts(key, single);
  const judged = single.map((listener) => {
    const found = [...(conflicts.get(listener.name) ?? []), ...judgePort(key, listener, settings, portOwner)];
    return found.length === 0 ? listener : { ...listener, problems: [...listener.problems, ...found], valid: false };
  });
  const separate = separatePorts(key, judged, settings);
  const servable = refused ? separate.map((listener) => ({ ...listener, valid: false })) : separate;
  const { listeners, ports } = planPorts(key, servable, settings);
  const plan = { key, className: gateway.spec.gatewayClassName, listeners, ports, problems };
  return address.bindAddress === undefined ? plan : { ...plan, bindAddress: address.bindAddress };
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
  key: ObjectKey,
  listener: ListenerPlan,
  settings: Settings,
  portOwner: (bindPort: number) => ObjectKey | undefined,
): Problem[] {
  const bindPort = bindPortOf(listener.port, settings);
  const owner = portOwner(bindPort);
  if (owner === undefined) return [];
  const field = `spec.listeners[${listener.index}].port`;
  const message = `Gateway ${key}, listener ${listener.name}: port ${bindPort} of this host is taken by the older Gateway ${owner}; choose another port, or give both Gateways addresses of their own.`;
  return [{ condition: "Accepted", reason: "PortUnavailable", field, message }];
}

/** Two ports of the spec can meet in one that is bound, when those below 1024 are moved: the first in the spec has it. */
function separatePorts(key: ObjectKey, listeners: readonly ListenerPlan[], settings: Settings): ListenerPlan[] {
  const firstByBindPort = new Map<number, ListenerPlan>();
  return listeners.map((listener) => {
    if (!listener.valid) return listener;
    const bindPort = bindPortOf(listener.port, settings);
    const first = firstByBindPort.get(bindPort) ?? listener;
    firstByBindPort.set(bindPort, first);
    if (first.port === listener.port) return listener;
    const field = `spec.listeners[${listener.index}].port`;
    const message = `Gateway ${key}, listener ${listener.name}: ports below ${FIRST_UNPRIVILEGED_PORT} are bound ${settings.privilegedPortOffset} higher here, so port ${listener.port} means port ${bindPort} of this host, which listener ${first.name} has with port ${first.port}; choose another port.`;
    const problem: Problem = { condition: "Accepted", reason: "PortUnavailable", field, message };
    return { ...listener, problems: [...listener.problems, problem], valid: false };
  });
}

/** Fields that this version does not implement are refused rather than ignored. */
function judgeUnsupported(gateway: Gateway, key: ObjectKey): Problem[] {
  const problems: Problem[] = [];
  const refuse = (reason: string, field: string) => {
    const message = `Gateway ${key}: ${field} is not implemented in this version; remove it.`;
    problems.push({ condition: "Accepted", reason, field, message });
  };
  const { infrastructure, tls } = gateway.spec;
  if (infrastructure?.parametersRef !== undefined) refuse("InvalidParameters", "spec.infrastructure.parametersRef");
  if (tls?.frontend !== undefined) refuse("Invalid", "spec.tls.frontend");
  if (tls?.backend !== undefined) refuse("Invalid", "spec.tls.backend");
  const { defaultScope } = gateway.spec as { defaultScope?: string };
  if (defaultScope !== undefined && defaultScope !== "None") refuse("Invalid", "spec.defaultScope");
  return problems;
}

function judgeAddresses(
  gateway: Gateway,
  key: ObjectKey,
  settings: Settings,
): { bindAddress?: string; problems: Problem[] } {
  const addresses = gateway.spec.addresses ?? [];
  const [first] = addresses;
  if (first === undefined) return { problems: [] };
  const refuse = (field: string, text: string) => {
    const message = `Gateway ${key}: ${field} ${text}`;
    return { problems: [{ condition: "Accepted", reason: "UnsupportedAddress", field, message }] };
  };
  if (addresses.length > 1) return refuse("spec.addresses", "has several entries, and one is served; keep one.");
  if ((first.type ?? "IPAddress") !== "IPAddress") {
    return refuse("spec.addresses[0].type", `is ${first.type}, and only IPAddress is served.`);
  }
  if (!settings.hostInfrastructure) return refuse("spec.addresses", "is not implemented in this version; remove it.");
  if (first.value === undefined || first.value === "") return { problems: [] };
  if (isIP(first.value) === 0) {
    return refuse("spec.addresses[0].value", `${first.value} is no IP address; write one of this host's.`);
  }
  return { bindAddress: first.value, problems: [] };
}
