import type { RouteKind } from "../api/gateway-api.ts";

/** Protocols of listeners that are served (Gateway API, ProtocolType). */
export type ListenerProtocol = "HTTP" | "HTTPS" | "TLS" | "TCP" | "UDP";

/** What a port belongs to: `UDP` beside all others, since a number is a port of TCP and one of UDP. */
export type Transport = "TCP" | "UDP";

/**
 * Protocols that can share a port, and what tells their listeners apart (Gateway API, Gateway.spec.listeners): the Host of requests, the
 * server name in the TLS greeting, nothing.
 */
export type ProtocolFamily = "HTTP" | "TLS" | "TCP" | "UDP";

interface ProtocolFacts {
  readonly family: ProtocolFamily;
  /** Gateway API, ListenerStatus.supportedKinds. */
  readonly routeKinds: readonly RouteKind[];
}

const facts: Readonly<Record<ListenerProtocol, ProtocolFacts>> = {
  HTTP: { family: "HTTP", routeKinds: ["HTTPRoute", "GRPCRoute"] },
  HTTPS: { family: "TLS", routeKinds: ["HTTPRoute", "GRPCRoute"] },
  TLS: { family: "TLS", routeKinds: ["TLSRoute"] },
  TCP: { family: "TCP", routeKinds: ["TCPRoute"] },
  UDP: { family: "UDP", routeKinds: ["UDPRoute"] },
};

export const servedProtocols = Object.keys(facts) as readonly ListenerProtocol[];

export function isServedProtocol(protocol: string): protocol is ListenerProtocol {
  return Object.hasOwn(facts, protocol);
}

/** Undefined: a protocol that is not served. */
export function familyOf(protocol: string): ProtocolFamily | undefined {
  return isServedProtocol(protocol) ? facts[protocol].family : undefined;
}

export function routeKindsOf(protocol: string): readonly RouteKind[] {
  return isServedProtocol(protocol) ? facts[protocol].routeKinds : [];
}

export function transportOf(protocol: string): Transport {
  return protocol === "UDP" ? "UDP" : "TCP";
}

/** Its routes see connections or datagrams, not requests. */
export function carriesStreams(protocol: string): boolean {
  return protocol === "TLS" || protocol === "TCP" || protocol === "UDP";
}
