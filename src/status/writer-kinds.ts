import type { LaneName } from "./writer-queue.ts";

/**
 * How the status of a kind is shared with other controllers.
 * - `parents`, `ancestors`: one atomic list with an entry per controller and Gateway; ours are those with our controllerName.
 * - `fields`: fields of the status itself, ours are those that we applied. The ancestors of an EnvoyProxy are one too: its entries
 *   do not say whose they are.
 */
export type Sharing = "parents" | "ancestors" | "fields";

export interface StatusKind {
  readonly sharing: Sharing;
  readonly lane: LaneName;
}

const gateways: StatusKind = { sharing: "fields", lane: "gateways" };
const routes: StatusKind = { sharing: "parents", lane: "routes" };
const policies: StatusKind = { sharing: "ancestors", lane: "others" };

/** Every kind that has a status of ours. */
export const statusKinds: ReadonlyMap<string, StatusKind> = new Map([
  ["GatewayClass", gateways],
  ["Gateway", gateways],
  ["ListenerSet", gateways],
  ["HTTPRoute", routes],
  ["GRPCRoute", routes],
  ["TLSRoute", routes],
  ["TCPRoute", routes],
  ["UDPRoute", routes],
  ["Backend", { sharing: "fields", lane: "others" }],
  ["BackendTLSPolicy", policies],
  ["BackendTrafficPolicy", policies],
  ["ClientTrafficPolicy", policies],
  ["SecurityPolicy", policies],
  ["EnvoyExtensionPolicy", policies],
  ["EnvoyPatchPolicy", policies],
  ["EnvoyProxy", { sharing: "fields", lane: "others" }],
]);

/** Gateway API, RouteStatus.parents and PolicyStatus.ancestors: maxItems. */
export const ENTRIES_MAX: Readonly<Record<Exclude<Sharing, "fields">, number>> = { parents: 32, ancestors: 16 };
