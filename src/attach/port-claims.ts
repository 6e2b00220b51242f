import { compareStrings, type FleetKey, type ObjectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import { ANY_HOST, coversHostname, widerHostnames } from "./hostname.ts";
import { familyOf, type Transport } from "./listener-protocol.ts";
import type { GatewayDraft, ListenerPlan } from "./model.ts";

/** That a listener could serve a port, and since when: what it must settle with listeners of other Gateways. */
export interface PortClaim {
  readonly gateway: ObjectKey;
  /** The ListenerSet in which the listener stands; undefined: the Gateway itself. */
  readonly listenerSet?: ObjectKey;
  readonly fleet: FleetKey;
  /** Of the ListenerSet, else of the Gateway. */
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

/** What the listeners of a Gateway claim that could serve. */
export function claimPorts({
  key: gateway,
  fleet,
  created,
  bindAddress,
  ...draft
}: GatewayDraft): Map<ListenerPlan, PortClaim> {
  const createdOf = new Map(draft.listenerSets.map((set) => [set.key, set.created]));
  const claims = new Map<ListenerPlan, PortClaim>();
  for (const listener of draft.listeners) {
    if (!listener.valid) continue;
    const { listenerSet, port, protocol, hostname } = listener;
    claims.set(listener, {
      ...{ gateway, fleet, port, protocol },
      created: (listenerSet === undefined ? created : createdOf.get(listenerSet)) ?? "",
      ...(listenerSet !== undefined && { listenerSet }),
      ...(hostname !== undefined && { hostname }),
      ...(bindAddress !== undefined && { bindAddress }),
    });
  }
  return claims;
}

/** Of claims that meet: the first for each address, whom nobody at that address comes before. O(n) */
export function firstClaims(claims: Iterable<PortClaim>): readonly PortClaim[] {
  const firsts = new Map<string | undefined, PortClaim>();
  for (const claim of claims) {
    const first = firsts.get(claim.bindAddress);
    if (first === undefined || compareClaims(claim, first) < 0) firsts.set(claim.bindAddress, claim);
  }
  return [...firsts.values()];
}

/**
 * A claim concerns those whose own hostname is among these: it asks for the same, or for hosts of theirs. So tenants that have nothing
 * but a port in common need not look at each other's.
 */
export function reachOf(claim: PortClaim): readonly string[] {
  const company = companyOf(claim);
  const { hostname = ANY_HOST } = claim;
  return [hostname, ...widerHostnames(hostname)].map((wider) => `${company} ${wider}`);
}

/** The claims that meet at a port, as the listeners of one Gateway see them. */
export interface PortRivals {
  readonly bindPort: number;
  /** Whoever else could serve the port would have to take it from this one. */
  readonly first?: PortClaim;
  /** The first claim to each hostname. */
  readonly byHostname: ReadonlyMap<string, PortClaim>;
  /** Hostnames that other Gateways of the fleet claim, by what the listener must have in common with theirs. */
  readonly elsewhere: ReadonlyMap<string, readonly string[]>;
}

/** @param claims those that meet at the port that is bound and are of concern, of this Gateway too. O(n log n) */
export function findRivals(
  draft: Pick<GatewayDraft, "key" | "fleet" | "bindAddress">,
  bindPort: number,
  claims: Iterable<PortClaim>,
): PortRivals {
  const { key: gateway, fleet, bindAddress } = draft;
  const sorted = [...claims].filter((claim) => sharesAddress(claim, { bindAddress })).sort(compareClaims);
  const byHostname = new Map<string, PortClaim>();
  const elsewhere = new Map<string, string[]>();
  for (const claim of sorted) {
    if (claim.fleet !== fleet) continue;
    const id = hostnameOf(claim);
    if (!byHostname.has(id)) byHostname.set(id, claim);
    if (claim.gateway === gateway || claim.hostname === undefined) continue;
    const known = elsewhere.get(companyOf(claim)) ?? [];
    known.push(claim.hostname);
    elsewhere.set(companyOf(claim), known);
  }
  return { bindPort, byHostname, elsewhere, ...(sorted[0] && { first: sorted[0] }) };
}

/**
 * The listener of one Gateway after those of others have had their say: what two want, the older Gateway has, and what only ListenerSets
 * want, the older ListenerSet. Of a host's port that is the whole port for its fleet; inside a fleet the first decides the protocol, and
 * each hostname is one listener's (Gateway API, ListenerConditionConflicted).
 */
export function settleListener(own: PortClaim, listener: ListenerPlan, rivals: PortRivals): ListenerPlan {
  const problems = findFault(own, listener, rivals);
  if (problems.length > 0) return { ...listener, problems: [...listener.problems, ...problems], valid: false };
  const host = listener.hostname ?? ANY_HOST;
  if (!host.startsWith(ANY_HOST)) return listener;
  const claimed = (rivals.elsewhere.get(companyOf(own)) ?? []).filter(
    (hostname) => hostname !== host && coversHostname(host, hostname),
  );
  return claimed.length === 0 ? listener : { ...listener, claimed: [...new Set(claimed)].sort(compareStrings) };
}

function findFault(own: PortClaim, { index }: ListenerPlan, { first, bindPort, byHostname }: PortRivals): Problem[] {
  if (first === undefined) return [];
  const field = `spec.listeners[${index}]`;
  const { port, hostname } = own;
  const unavailable = (text: string) => [problemAt("Accepted", "PortUnavailable", `${field}.port`, text)];
  if (first.fleet !== own.fleet) {
    return unavailable(
      `means port ${bindPort} of this host, which ${nameClaim(first, own)} has; choose another port, or give both Gateways addresses of their own`,
    );
  }
  const sharing = `which shares its Envoys with all Gateways of GatewayClass ${own.fleet}`;
  if (first.port !== port) {
    return unavailable(
      `is ${port} and means port ${bindPort} of Envoy, like port ${first.port} of ${nameClaim(first, own)}, ${sharing}; choose another port`,
    );
  }
  const conflict = (reason: string, text: string) =>
    ["Conflicted", "Accepted"].map((condition) => problemAt(condition, reason, field, text));
  if (companyOf(first) !== companyOf(own)) {
    const text = `has port ${port} with another protocol than ${nameClaim(first, own)}, ${sharing}; give each protocol a port of its own`;
    return conflict("ProtocolConflict", text);
  }
  const rival = byHostname.get(hostnameOf(own));
  if (rival === undefined || rival.gateway === own.gateway) return [];
  const what = hostname === undefined ? "every hostname" : `hostname ${hostname}`;
  return conflict(
    "HostnameConflict",
    `has port ${port} and ${what} like ${nameClaim(rival, own)}, ${sharing}; make one of them differ`,
  );
}

/** A claim that comes before another one. */
function nameClaim({ gateway, listenerSet }: PortClaim, own: PortClaim): string {
  if (own.listenerSet === undefined) return `the older Gateway ${gateway}`;
  return listenerSet === undefined ? `Gateway ${gateway} itself` : `an older ListenerSet of Gateway ${gateway}`;
}

/** What listeners of a fleet must have in common to be in each other's way. */
function companyOf({ port, protocol }: PortClaim): string {
  return `${port} ${familyOf(protocol)}`;
}

/** The hostname that it asks for, as {@link reachOf} calls it. */
export function hostnameOf(claim: PortClaim): string {
  return `${companyOf(claim)} ${claim.hostname ?? ANY_HOST}`;
}

function sharesAddress(a: { bindAddress?: string | undefined }, b: { bindAddress?: string | undefined }): boolean {
  return a.bindAddress === undefined || b.bindAddress === undefined || a.bindAddress === b.bindAddress;
}

/** Gateways themselves come before all ListenerSets, so that no Gateway loses a listener to a ListenerSet of another. */
function compareClaims(a: PortClaim, b: PortClaim): number {
  return (
    Number(a.listenerSet !== undefined) - Number(b.listenerSet !== undefined) ||
    compareStrings(a.created, b.created) ||
    compareStrings(a.listenerSet ?? "", b.listenerSet ?? "") ||
    compareStrings(a.gateway, b.gateway)
  );
}
