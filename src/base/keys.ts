import { flatText } from "./memory.ts";

/** `namespace/name` for namespaced objects, `name` for cluster-scoped ones. The key of every source collection. */
export type ObjectKey = string;

/**
 * Names a fleet: the Envoys that have one workload, one identity and one configuration in common. It is the key of the Gateway that
 * they serve or, where the Gateways of a GatewayClass share their Envoys (`mergeGateways` of EnvoyProxy), the name of the class.
 */
export type FleetKey = ObjectKey;

/** Whether the fleet is of all Gateways of a class. */
export function isOfClass(fleet: FleetKey): boolean {
  return !fleet.includes("/");
}

export function objectKey(namespace: string | undefined, name: string): ObjectKey {
  return namespace === undefined || namespace === "" ? name : flatText(namespace, "/", name);
}

/** The inverse of {@link objectKey}. */
export function splitObjectKey(key: ObjectKey): { namespace: string; name: string } {
  const slash = key.indexOf("/");
  return slash < 0 ? { namespace: "", name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** Orders strings by UTF-16 code units: the same on every machine, unlike localeCompare, and several times faster. */
export function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
