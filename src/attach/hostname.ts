/** Hostnames as Gateway API defines them: exact, or `*.` followed by a suffix, which stands for one or more labels. */

/** `*`: every host. */
export const ANY_HOST = "*";

/** What a listener stands for. Lower case. */
export function hostOf({ hostname = ANY_HOST }: { readonly hostname?: string }): string {
  return hostname;
}

/** True when every host of `inner` is one of `outer`. Both lower case. */
export function coversHostname(outer: string, inner: string): boolean {
  if (outer === ANY_HOST || outer === inner) return true;
  if (!outer.startsWith("*.")) return false;
  const suffix = outer.slice(1);
  return inner.startsWith("*.")
    ? inner.length > outer.length && inner.endsWith(suffix)
    : inner.endsWith(suffix) && inner.length > suffix.length;
}

/** The hosts that both stand for: the narrower of the two, or nothing. */
export function intersectHostname(a: string, b: string): string | undefined {
  if (coversHostname(a, b)) return b;
  return coversHostname(b, a) ? a : undefined;
}

/** Every hostname that covers this one and is not the same, the narrowest first. Lower case. */
export function widerHostnames(hostname: string): string[] {
  if (hostname === ANY_HOST) return [];
  const labels = hostname.split(".").slice(hostname.startsWith("*.") ? 2 : 1);
  return [...labels.map((_, position) => `*.${labels.slice(position).join(".")}`), ANY_HOST];
}

/** The narrowest of some hostnames that covers a host, perhaps the host itself. O(labels). */
export function narrowestOver(host: string, among: ReadonlySet<string>): string | undefined {
  return [host, ...widerHostnames(host)].find((hostname) => among.has(hostname));
}

/** More specific first: exact before wildcard, then the longer, `*` last. Not a total order. */
export function compareHostnameSpecificity(a: string, b: string): number {
  const rank = (hostname: string) => (hostname === ANY_HOST ? 2 : hostname.startsWith("*.") ? 1 : 0);
  return rank(a) - rank(b) || b.length - a.length;
}

/** A hostname of Gateway API: RFC 1123 labels, optionally `*.` before them, no IP address. */
export function isValidHostname(hostname: string): boolean {
  const name = hostname.startsWith("*.") ? hostname.slice(2) : hostname;
  return hostname.length <= 253 && HOSTNAME.test(name) && !/^\d+(\.\d+){3}$/.test(name);
}

const HOSTNAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
