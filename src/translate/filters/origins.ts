import type { StringMatcher } from "../../envoy/generated/envoy/type/matcher/v3/string.ts";
import { quoteRegex } from "../match.ts";

/** Matches an origin of a CORS filter or SecurityPolicy. A `*` in the host stands for any characters, dots included; alone, for any origin. */
export function matchOrigin(origin: string): StringMatcher {
  return origin === "*" ? { exact: "*" } : matchText(canonical(origin));
}

/** The same without the scheme, for a filter that looks at hosts and ports only. */
export function matchHost(origin: string): StringMatcher {
  return matchText(canonical(origin).replace(/^[^:]*:\/\//, ""));
}

/** Browsers send an origin in lower case and without its scheme's default port, so the same is done to what is configured. */
function canonical(origin: string): string {
  const lower = origin.toLowerCase();
  return lower.replace(/^(http:\/\/.*):80$/, "$1").replace(/^(https:\/\/.*):443$/, "$1");
}

function matchText(text: string): StringMatcher {
  if (!text.includes("*")) return { exact: text };
  return { safeRegex: { regex: text.split("*").map(quoteRegex).join(".*") } };
}
