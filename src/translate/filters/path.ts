import type { RegexMatchAndSubstitute } from "../../envoy/generated/envoy/type/matcher/v3/regex.ts";
import { quoteRegex } from "../match.ts";
import type { RoutePath } from "../route-order.ts";

/** What happens to the path of a request; the query is kept in every case. */
export type PathChange =
  | { readonly kind: "full"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly pattern: string; readonly substitution: string };

/** A Gateway API HTTPPathModifier. */
export interface PathModifier {
  readonly type: string;
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

/** Fields that Envoy's RouteAction and RedirectAction share. */
export interface PathRewrite {
  readonly prefixRewrite?: string;
  readonly regexRewrite?: RegexMatchAndSubstitute;
}

export function readPathModifier(modifier: PathModifier | undefined): PathChange | undefined {
  if (modifier?.type === "ReplaceFullPath") return { kind: "full", value: modifier.replaceFullPath ?? "/" };
  if (modifier?.type === "ReplacePrefixMatch") return { kind: "prefix", value: modifier.replacePrefixMatch ?? "/" };
  return undefined;
}

/** The change as a rewrite of requests that matched `path`. */
export function rewritePath(change: PathChange | undefined, path: RoutePath): PathRewrite {
  switch (change?.kind) {
    case undefined:
      return {};
    case "full":
      return replaceRegex("^/.*$", quoteSubstitution(change.value));
    case "prefix":
      return replacePrefix(path.value, change.value.replace(/\/+$/, ""));
    case "regex":
      return replaceRegex(change.pattern, change.substitution);
  }
}

/**
 * Replaces whole path elements, by the table of HTTPPathModifier.replacePrefixMatch. Envoy replaces just the characters that
 * matched, so a border slash must be taken away together with the prefix when nothing replaces it, and be added when the
 * prefix `/` was that slash.
 */
function replacePrefix(prefix: string, replacement: string): PathRewrite {
  if (prefix === "/") return replacement === "" ? {} : { prefixRewrite: `${replacement}/` };
  if (replacement === "") return replaceRegex(`^${quoteRegex(prefix)}/?`, "/");
  return { prefixRewrite: replacement };
}

function replaceRegex(regex: string, substitution: string): PathRewrite {
  return { regexRewrite: { pattern: { regex }, substitution } };
}

/** A backslash would refer to a group. */
function quoteSubstitution(literal: string): string {
  return literal.replaceAll("\\", "\\\\");
}
