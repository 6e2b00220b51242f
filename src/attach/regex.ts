import { RE2JS } from "re2js";

/** Longest pattern taken; a header match in the API has at most this many characters. */
const MAX_PATTERN_LENGTH = 4096;
/**
 * Bound of the estimated size of the compiled pattern, in instructions. Envoy compiles with RE2's default of 8 MiB, about
 * 350,000 instructions of 16 bytes, and refuses the whole route table for a pattern beyond that. (The bootstrap lifts
 * Envoy's own limit of 100, which is too small for everyday patterns.)
 */
const MAX_PROGRAM_SIZE = 250_000;
/** What a class such as `\W`, `[^a]` or `\pL` takes at most when it is short; see {@link estimateSize}. */
const INSTRUCTIONS_PER_CLASS = 16;
const LARGEST_BYTE = 0xff;

/**
 * Why Envoy would refuse this regular expression (RE2 syntax, <https://github.com/google/re2/wiki/Syntax>). Completes a
 * sentence that begins with the field. O(pattern), bounded.
 */
export function findRegexFault(pattern: string): string | undefined {
  if (pattern === "") return "is empty; write an expression, or leave it out";
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return `has ${pattern.length} characters, more than the ${MAX_PATTERN_LENGTH} that are taken; shorten it`;
  }
  const compiled = compile(pattern);
  if ("error" in compiled) return `is no regular expression of RE2 (${compiled.error}); correct it`;
  const beyond = findWideEscape(pattern);
  if (beyond !== undefined) {
    return `holds ${beyond}, and Envoy matches bytes, so that the largest escape is \\x{ff}; write the character itself`;
  }
  return estimateSize(pattern, compiled.size) <= MAX_PROGRAM_SIZE
    ? undefined
    : "is too large a regular expression for Envoy; use fewer or smaller repetitions";
}

/** The library counts a class as one instruction; RE2 needs one or two for each of its ranges. */
function estimateSize(pattern: string, size: number): number {
  const classes = pattern.match(/\[[^\]]*\]/g) ?? [];
  const longest = classes.reduce((length, each) => Math.max(length, each.length), 0);
  return size * (INSTRUCTIONS_PER_CLASS + 2 * longest);
}

/** The first hexadecimal or octal escape above one byte. */
function findWideEscape(pattern: string): string | undefined {
  for (const [sequence, hexadecimal, octal] of pattern.matchAll(/\\(?:x\{([0-9A-Fa-f]+)\}|([4-7][0-7]{2})|[\s\S])/g)) {
    if (octal !== undefined) return sequence;
    if (hexadecimal !== undefined && Number.parseInt(hexadecimal, 16) > LARGEST_BYTE) return sequence;
  }
  return undefined;
}

/**
 * Why a replacement does not fit its pattern: RE2 knows `\0` to `\9` and `\\`, and leaves the text as it is when a group is
 * missing, so that the rewrite would silently do nothing.
 */
export function findSubstitutionFault(pattern: string, substitution: string): string | undefined {
  if (/[\r\n\0]/.test(substitution)) return "holds a line break; remove it";
  const compiled = compile(pattern);
  if ("error" in compiled) return undefined;
  for (const [sequence] of substitution.matchAll(/\\[\s\S]?/g)) {
    const character = sequence[1] ?? "";
    if (character === "\\") continue;
    if (!/[0-9]/.test(character)) return `holds "${sequence}"; write a digit or another backslash after a backslash`;
    if (Number(character) > compiled.groups) {
      return `refers to group ${character}, and the pattern has ${compiled.groups}; add the group or refer to another`;
    }
  }
  return undefined;
}

type Compiled = { readonly size: number; readonly groups: number } | { readonly error: string };

/** Envoy matches the bytes of the pattern against the bytes of the request (RE2's Latin-1 mode), so bytes are compiled here. */
function compile(pattern: string): Compiled {
  try {
    const expression = RE2JS.compile(Buffer.from(pattern, "utf8").toString("latin1"));
    return { size: expression.programSize(), groups: expression.groupCount() };
  } catch (error) {
    // The library throws for bad syntax, and only for that.
    const message = error instanceof Error ? error.message : String(error);
    return { error: message.replace(/^error parsing regexp: /, "") };
  }
}
