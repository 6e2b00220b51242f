import { BlockList, isIP, SocketAddress } from "node:net";
import { posix } from "node:path";

/** Addresses by which Envoy would reach its own host instead of a backend. */
const ownHost = new BlockList();
ownHost.addSubnet("127.0.0.0", 8, "ipv4");
ownHost.addSubnet("0.0.0.0", 8, "ipv4");
ownHost.addAddress("::1", "ipv6");
ownHost.addAddress("::", "ipv6");

export interface AddressFault {
  readonly reason: "InvalidAddress" | "UnsupportedAddressType";
  /** Completes a sentence that begins with the field. */
  readonly message: string;
}

/** Is it an IP address, such as Envoy takes without resolving? */
export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** Two texts that mean one address: of IPv6 there are several for each. */
export function isSameAddress(one: string, other: string): boolean {
  return one === other || (isIP(one) === 6 && isIP(other) === 6 && spell(one) === spell(other));
}

function spell(address: string): string {
  return new SocketAddress({ address, family: "ipv6" }).address;
}

/**
 * @param loopbackAllowed Envoy runs on this host as an ordinary process, where loopback backends are what one has. Elsewhere
 *   loopback is the proxy's own admin interface, which no Backend may expose.
 */
export function findIpFault(address: string, loopbackAllowed: boolean): AddressFault | undefined {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) {
    return { reason: "InvalidAddress", message: `is "${address}", which is no IP address; write one such as 10.0.0.1` };
  }
  if (!loopbackAllowed && ownHost.check(address, family === 4 ? "ipv4" : "ipv6")) {
    return {
      reason: "InvalidAddress",
      message: `is ${address}, an address of the proxy itself; use one that others can reach`,
    };
  }
  return undefined;
}

const hostnamePattern = /^[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*\.?$/i;
const MAX_HOSTNAME_LENGTH = 253;
const localhostPattern = /^(.+\.)?localhost\.?$/i;

/** @param minLabels 2 where a single word is more likely a mistake than a name */
export function findHostnameFault(host: string, loopbackAllowed: boolean, minLabels: 1 | 2): AddressFault | undefined {
  if (host.length > MAX_HOSTNAME_LENGTH || !hostnamePattern.test(host)) {
    return {
      reason: "InvalidAddress",
      message: `is "${host}", which is no host name; write one such as app.example.com`,
    };
  }
  if (isIpAddress(host)) {
    return { reason: "InvalidAddress", message: `is the IP address ${host}; list it under ip` };
  }
  if (!loopbackAllowed && localhostPattern.test(host)) {
    return { reason: "InvalidAddress", message: `is ${host}, the proxy itself; use a name that others can reach` };
  }
  if (host.replace(/\.$/, "").split(".").length < minLabels) {
    return {
      reason: "InvalidAddress",
      message: `is "${host}", which has no domain; write it in full, such as ${host}.example.com`,
    };
  }
  return undefined;
}

/** Every process's files are to be found here once more: `/proc/self/root/…`. */
const DETOURS = "/proc";

/** @param guardedFolder where the control plane's own sockets are: Envoy's admin interface, and xDS with every private key */
export function findSocketFault(path: string, guardedFolder: string | undefined): AddressFault | undefined {
  if (!path.startsWith("/"))
    return { reason: "InvalidAddress", message: `is "${path}", which is no absolute path; begin it with /` };
  const guarded = guardedFolder === undefined ? [] : [guardedFolder, DETOURS];
  if (guarded.some((folder) => posix.normalize(path).startsWith(`${posix.normalize(folder)}/`))) {
    return { reason: "InvalidAddress", message: `is ${path}, a socket of Gatehouse itself: use one of a backend` };
  }
  return undefined;
}

const MAX_PORT = 65535;

export function findPortFault(port: number): AddressFault | undefined {
  if (Number.isInteger(port) && port >= 1 && port <= MAX_PORT) return undefined;
  return { reason: "InvalidAddress", message: `is ${port}, and a port is a number from 1 to ${MAX_PORT}; write one` };
}
