import type { ObjectMeta } from "../api/object.ts";
import type { AttachedHost } from "../attach/model.ts";
import { flatText } from "../base/memory.ts";
import { encodeMessage } from "../envoy/any.ts";
import { Route } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { contentHash, nameHash } from "../envoy/hash.ts";
import type { TranslatedMatch } from "./match.ts";
import { type MatchVariant, nameVariant } from "./match-variants.ts";
import { type RouteEntry, rankHostname, tieOf } from "./route-order.ts";
import type { RuleTemplate } from "./route-rule.ts";

/** A rule with as many matches and variants as the API allows stays below the next rule in {@link RouteEntry.order}. */
const SEQUENCE_RULE_STEP = 1_000_000;
const SEQUENCE_MATCH_STEP = 1_000;
const HEXADECIMAL = 16;

/** What a gateway changes about the routes of its hosts. */
export interface EntryShape {
  /** Rules are asked in the order in which they are written, the oldest route first. */
  readonly keepsOrder?: boolean;
}

/** A host as it appears in names: `*.example.com` as `*_example_com`. */
export function underscoreHost(host: string): string {
  return host.replaceAll(".", "_");
}

/**
 * Entries of one rule on one host. `matches` translates each match of the rule in a variant, or not at all; a rule without
 * matches has one that fits every request and counts as match -1 in names.
 *
 * Route names follow Envoy Gateway (`httproute/<ns>/<name>/rule/<i>/match/<j>/<host>`), since EnvoyPatchPolicies refer to
 * them; variants are told apart by what stands behind the match, such as `/cookies/<k>`.
 */
export function buildEntries(
  kind: "HTTPRoute" | "GRPCRoute",
  metadata: ObjectMeta,
  ruleIndex: number,
  template: RuleTemplate,
  host: AttachedHost,
  matches: readonly ((variant: MatchVariant) => TranslatedMatch | undefined)[],
  hasMatches: boolean,
  { keepsOrder }: EntryShape = {},
): RouteEntry[] {
  const namespace = metadata.namespace ?? "";
  const origin = flatText(kind, "/", namespace, "/", metadata.name);
  const tie = tieOf(kind, namespace, metadata.name, metadata.creationTimestamp);
  const suffix = underscoreHost(host.host);
  const entries: RouteEntry[] = [];
  for (const [matchIndex, translate] of matches.entries()) {
    for (const [variantIndex, variant] of template.variants.entries()) {
      const translated = translate(variant);
      if (translated === undefined) continue;
      const { match, path, conditional, key, rankOn } = translated;
      const position = `rule/${ruleIndex}/match/${hasMatches ? matchIndex : -1}${nameVariant(template.variants, variant)}`;
      const name = `${kind.toLowerCase()}/${namespace}/${metadata.name}/${position}/${suffix}`;
      const bytes = encodeMessage(Route, { name, match, ...template.complete(path, variant) });
      const rank = keepsOrder ? rankHostname(host.routeHostname) : rankOn(host.routeHostname);
      const sequence = ruleIndex * SEQUENCE_RULE_STEP + matchIndex * SEQUENCE_MATCH_STEP + variantIndex;
      entries.push({
        order: { rank, tie, sequence },
        path,
        conditional,
        bytes,
        clusters: template.clusters,
        matchKey: key,
        matchHash: Number.parseInt(nameHash(key), HEXADECIMAL),
        origin,
        ...(template.counts && { counts: true }),
        hash: contentHash(`${contentHash(bytes)} ${rank} ${sequence} ${tie}`),
      });
    }
  }
  return entries;
}
