/**
 * The addresses of one cluster, all inside 10.SLOT.0.0/16, so that one route from the machine reaches everything and clusters
 * beside each other never overlap.
 */
export interface AddressPlan {
  readonly slot: number;
  /** Of everything below. */
  readonly range: string;
  /** The node: API server, DNS, kubelet. */
  readonly node: string;
  readonly podRange: string;
  readonly serviceRange: string;
  readonly loadBalancerRange: string;
  /** The two ends of the link between the machine and the cluster. */
  readonly hostEnd: string;
  readonly clusterEnd: string;
}

export function planAddresses(slot: number): AddressPlan {
  return {
    slot,
    range: `10.${slot}.0.0/16`,
    node: `10.${slot}.0.1`,
    podRange: `10.${slot}.0.0/18`,
    serviceRange: `10.${slot}.64.0/18`,
    loadBalancerRange: `10.${slot}.128.0/18`,
    hostEnd: `10.${slot}.255.1`,
    clusterEnd: `10.${slot}.255.2`,
  };
}

/** Hands out the addresses of a range, each once until it is released; the longest free one first. */
export interface AddressPool {
  /** @throws Error when all are taken */
  take(): string;
  /** False when it is taken or outside of the range. */
  claim(address: string): boolean;
  release(address: string): void;
}

/** The first ten addresses are left out: the node has one of them. */
const RESERVED = 10;

export function createAddressPool(range: string): AddressPool {
  const { first, size } = parseRange(range);
  const taken = new Set<number>();
  let next = RESERVED;
  const inside = (offset: number) => offset >= RESERVED && offset < size - 1;
  return {
    take() {
      for (let tries = 0; tries < size; tries++) {
        const offset = next;
        next = next + 1 < size - 1 ? next + 1 : RESERVED;
        if (taken.has(offset)) continue;
        taken.add(offset);
        return formatAddress(first + offset);
      }
      throw new Error(`all addresses of ${range} are taken`);
    },
    claim(address) {
      const offset = parseAddress(address) - first;
      if (!inside(offset) || taken.has(offset)) return false;
      taken.add(offset);
      return true;
    },
    release: (address) => void taken.delete(parseAddress(address) - first),
  };
}

/** Whether two IPv4 ranges (`a.b.c.d/n`; an address is a range of one) have an address in common. */
export function rangesOverlap(one: string, other: string): boolean {
  const [a, b] = [parseRange(one), parseRange(other)];
  return a.first < b.first + b.size && b.first < a.first + a.size;
}

function parseRange(range: string): { first: number; size: number } {
  const [address, bits = "32"] = range.split("/");
  const size = 2 ** (32 - Number(bits));
  return { first: Math.floor(parseAddress(address!) / size) * size, size };
}

function parseAddress(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}
