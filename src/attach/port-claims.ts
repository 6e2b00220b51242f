import { compareStrings, type FleetKey, type ObjectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import { ANY_HOST, coversHostname } from "./hostname.ts";
import { familyOf, type Transport } from "./listener-protocol.ts";
import type { GatewayDraft, ListenerPlan } from "./model.ts";

/** That a listener could serve a port, and since when: what it must settle with listeners of other Gateways. */
export interface PortClaim {
  readonly gateway: ObjectKey;
  readonly fleet: FleetKey;
  /** Of the Gateway. */
  readonly created: string;
  readonly port: number;
  readonly protocol: string;
  readonly hostname?: string;
  readonly bindAddress?: string;
}

/**
 * Where claims meet: on host infrastructure on the host, since all Envoys share its ports, else inside a fleet. As bound, so that
 * an offset which makes two ports meet is seen.
 */
export function meetingPlace(
  fleet: FleetKey,
  bindPort: number,
  transport: Transport,
  hostInfrastructure: boolean,
): string {
  const port = `${transport} ${bindPort}`;
  return hostInfrastructure ? port : `${fleet}|${port}`;
}

export function claimPort(draft: GatewayDraft, listener: ListenerPlan): PortClaim {
  const { key: gateway, fleet, created, bindAddress } = draft;
  const { port, protocol, hostname } = listener;
  return {
    ...{ gateway, fleet, created, port, protocol },
    ...(hostname !== undefined && { hostname }),
    ...(bindAddress !== undefined && { bindAddress }),
  };
}

/**
 * The listener of one Gateway after those of others have had their say: what two want, the older Gateway has. Of a host's port that is
 * the whole port for its fleet; inside a fleet the older decides the protocol, and each hostname is one listener's (Gateway API,
 * ListenerConditionConflicted). O(n log n).
 *
 * @param bindPort what Envoy binds for the listener
 * @param claims all that meet there, of this Gateway too
 */
export function settleListener(
  draft: GatewayDraft,
  listener: ListenerPlan,
  bindPort: number,
  claims: Iterable<PortClaim>,
): ListenerPlan {
  const own = claimPort(draft, listener);
  const others = [...claims]
    .filter((other) => other.gateway !== own.gateway && sharesAddress(other, own))
    .sort(compareAge);
  const older = others.filter((other) => compareAge(other, own) < 0);
  const problems = findFault(own, listener, bindPort, older);
  if (problems.length > 0) return { ...listener, problems: [...listener.problems, ...problems], valid: false };
  const host = listener.hostname ?? ANY_HOST;
  const claimed = others
    .filter((other) => other.fleet === own.fleet && other.port === own.port && sharesFamily(other, own))
    .flatMap(({ hostname }) =>
      hostname !== undefined && hostname !== host && coversHostname(host, hostname) ? [hostname] : [],
    );
  return claimed.length === 0 ? listener : { ...listener, claimed: [...new Set(claimed)].sort(compareStrings) };
}

/** @param older oldest first */
function findFault(own: PortClaim, { index }: ListenerPlan, bindPort: number, older: readonly PortClaim[]): Problem[] {
  const [first] = older;
  if (first === undefined) return [];
  const field = `spec.listeners[${index}]`;
  const { port, hostname } = own;
  const unavailable = (text: string) => [problemAt("Accepted", "PortUnavailable", `${field}.port`, text)];
  if (first.fleet !== own.fleet) {
    return unavailable(
      `means port ${bindPort} of this host, which the older Gateway ${first.gateway} has; choose another port, or give both Gateways addresses of their own`,
    );
  }
  const sharing = `which shares its Envoys with all Gateways of GatewayClass ${own.fleet}`;
  if (first.port !== port) {
    return unavailable(
      `is ${port} and means port ${bindPort} of Envoy, like port ${first.port} of the older Gateway ${first.gateway}, ${sharing}; choose another port`,
    );
  }
  const conflict = (reason: string, text: string) =>
    ["Conflicted", "Accepted"].map((condition) => problemAt(condition, reason, field, text));
  if (!sharesFamily(first, own)) {
    const text = `has port ${port} with another protocol than the older Gateway ${first.gateway}, ${sharing}; give each protocol a port of its own`;
    return conflict("ProtocolConflict", text);
  }
  const rival = older.find(
    (other) => other.fleet === own.fleet && sharesFamily(other, own) && other.hostname === hostname,
  );
  if (rival === undefined) return [];
  const what = hostname === undefined ? "every hostname" : `hostname ${hostname}`;
  return conflict(
    "HostnameConflict",
    `has port ${port} and ${what} like the older Gateway ${rival.gateway}, ${sharing}; make one of them differ`,
  );
}

function sharesFamily(a: PortClaim, b: PortClaim): boolean {
  return familyOf(a.protocol) === familyOf(b.protocol);
}

function sharesAddress(a: PortClaim, b: PortClaim): boolean {
  return a.bindAddress === undefined || b.bindAddress === undefined || a.bindAddress === b.bindAddress;
}

function compareAge(a: PortClaim, b: PortClaim): number {
  return compareStrings(a.created, b.created) || compareStrings(a.gateway, b.gateway);
}
