import type { HTTPRouteFilter } from "../api/httproutefilter.ts";
import type { ResolvedExtension } from "../attach/model.ts";

/** Cookies that a request must carry, all of them. */
export type CookieConditions = readonly NonNullable<
  NonNullable<HTTPRouteFilter["spec"]["matches"]>[number]["cookies"]
>[number][];

/** What the filters of a rule add to each of its matches: a rule makes one route for each match and variant. */
export interface MatchVariant {
  readonly cookies: CookieConditions;
  /** For a match of a method: the OPTIONS request by which a browser asks whether it may use that method. */
  readonly preflight?: true;
  /** For requests whose Host has a port. */
  readonly hostPort?: true;
  /** For requests that ask for a tunnel (CONNECT), which have no path. */
  readonly tunnel?: true;
}

/** HTTPRouteFilters of one rule can ask for no more combinations of cookie conditions than this. */
const COOKIE_VARIANTS_MAX = 64;
const noCookies: readonly CookieConditions[] = [[]];

/**
 * The variants of a rule, more particular ones first.
 *
 * @returns undefined when its filters ask for more than {@link COOKIE_VARIANTS_MAX} combinations of cookies
 */
export function planVariants(
  extensions: readonly ResolvedExtension[],
  wanted: { readonly preflight: boolean; readonly hostPort: boolean; readonly tunnel: boolean },
): readonly MatchVariant[] | undefined {
  const withCookies = combineCookies(extensions)?.map((cookies): MatchVariant => ({ cookies }));
  const withPort = wanted.hostPort
    ? withCookies?.flatMap((variant): MatchVariant[] => [{ ...variant, hostPort: true }, variant])
    : withCookies;
  const withTunnel = wanted.tunnel
    ? withPort?.flatMap((variant): MatchVariant[] => [{ ...variant, tunnel: true }, variant])
    : withPort;
  // A tunnel is no preflight.
  return wanted.preflight
    ? withTunnel?.flatMap((variant) =>
        variant.tunnel ? [variant] : [{ ...variant, preflight: true as const }, variant],
      )
    : withTunnel;
}

/** Where a variant shows in the names of routes; empty for the only one. */
export function nameVariant(variants: readonly MatchVariant[], variant: MatchVariant): string {
  if (variants.length === 1) return "";
  const cookies = [...new Set(variants.map((one) => one.cookies))];
  return [
    cookies.length > 1 ? `/cookies/${cookies.indexOf(variant.cookies)}` : "",
    variant.hostPort ? "/port" : "",
    variant.tunnel ? "/connect" : "",
    variant.preflight ? "/preflight" : "",
  ].join("");
}

/** Within one filter one of its `matches` must hold, and so for every filter. */
function combineCookies(extensions: readonly ResolvedExtension[]): readonly CookieConditions[] | undefined {
  let variants = noCookies;
  for (const { filter } of extensions) {
    const alternatives = (filter.matches ?? []).map(({ cookies }) => cookies ?? []);
    if (alternatives.length === 0) continue;
    if (variants.length * alternatives.length > COOKIE_VARIANTS_MAX) return undefined;
    variants = variants.flatMap((variant) => alternatives.map((cookies) => [...variant, ...cookies]));
  }
  return variants;
}
