import { isIP } from "node:net";

/** A range of addresses, with its network address as Envoy writes it. */
export interface Cidr {
  readonly family: "IPv4" | "IPv6";
  readonly network: string;
  readonly prefix: number;
}

const BITS = { IPv4: 32, IPv6: 128 } as const;

/** Undefined when the text is none. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.lastIndexOf("/");
  const address = text.slice(0, slash);
  const prefix = Number(text.slice(slash + 1));
  const version = isIP(address);
  if (slash < 0 || version === 0 || !/^\d+$/.test(text.slice(slash + 1))) return undefined;
  const family = version === 4 ? "IPv4" : "IPv6";
  if (prefix > BITS[family]) return undefined;
  const groups = family === "IPv4" ? address.split(".").map(Number) : expand(address);
  const width = family === "IPv4" ? 8 : 16;
  const masked = groups.map((group, index) => {
    const kept = Math.min(width, Math.max(0, prefix - index * width));
    return group & ((2 ** width - 1) ^ (2 ** (width - kept) - 1));
  });
  return { family, network: family === "IPv4" ? masked.join(".") : shorten(masked), prefix };
}

/** The eight words of an IPv6 address. */
function expand(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const text = dotted
    ? `${dotted[1]}${[2, 4].map((i) => ((Number(dotted[i]) << 8) | Number(dotted[i + 1])).toString(16)).join(":")}`
    : address;
  const [head = "", tail] = text.split("::");
  const words = (part: string) => (part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16)));
  if (tail === undefined) return words(head);
  const [before, after] = [words(head), words(tail)];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** RFC 5952: the first of the longest runs of zeros is left out. */
function shorten(words: readonly number[]): string {
  return new URL(`http://[${words.map((word) => word.toString(16)).join(":")}]/`).hostname.slice(1, -1);
}
