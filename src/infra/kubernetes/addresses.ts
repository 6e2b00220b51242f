import type { KubeObject } from "../../kube/resource-type.ts";

interface ServiceFields {
  readonly spec?: {
    readonly type?: string;
    readonly clusterIPs?: readonly string[];
    readonly externalIPs?: readonly string[];
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] };
  };
}

export interface Address {
  readonly type: "IPAddress" | "Hostname";
  readonly value: string;
}

/** Gateway API, GatewayStatus.addresses: maxItems. */
const ADDRESSES_MAX = 16;

/**
 * Where clients reach a gateway by its Service: what its load balancer was given and external addresses, else the nodes of a
 * NodePort, else, where there is no load balancer to wait for, its cluster addresses.
 *
 * @param hosts addresses of the nodes on which its Envoys are ready
 */
export function addressesOfService(service: KubeObject | undefined, hosts: readonly string[]): Address[] {
  const { spec = {}, status } = (service ?? {}) as ServiceFields;
  const ip = (value: string): Address => ({ type: "IPAddress", value });
  const ingress = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip: address, hostname }): Address[] => {
    if (address !== undefined) return [ip(address)];
    return hostname === undefined ? [] : [{ type: "Hostname", value: hostname }];
  });
  const external = (spec.externalIPs ?? []).filter((address) => !ingress.some(({ value }) => value === address));
  if (ingress.length + external.length > 0) return [...ingress, ...external.map(ip)];
  if (spec.type === "LoadBalancer") return [];
  if (spec.type === "NodePort") return hosts.slice(0, ADDRESSES_MAX).map(ip);
  return (spec.clusterIPs ?? []).filter((address) => address !== "None").map(ip);
}
