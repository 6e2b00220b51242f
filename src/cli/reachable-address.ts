import { isIPv6 } from "node:net";

/** Where a client on this host reaches what is bound to an address: an unspecified one means all, loopback among them. */
export function reachableAddress(bindAddress: string | undefined): string {
  if (bindAddress === undefined || bindAddress === "0.0.0.0") return "127.0.0.1";
  return isIPv6(bindAddress) && /^[0:]+$/.test(bindAddress) ? "::1" : bindAddress;
}
