import { RE2JS } from "re2js";

/** Longest pattern taken; a header match in the API has at most this many characters. */
const MAX_PATTERN_LENGTH = 4096;
/**
 * Bound of the estimated size of the compiled pattern, in instructions. Envoy compiles with RE2's default of 8 MiB, about
 * 350,000 instructions of 16 bytes, and refuses the whole route table for a pattern beyond that.
 */
const MAX_PROGRAM_SIZE = 250_000;
/** RE2 compiles to bytes of UTF-8: `.` or a negated class is about 12 instructions, a class of Unicode up to some hundreds. */
const INSTRUCTIONS_PER_CLASS = 12;
const INSTRUCTIONS_PER_UNICODE_CLASS = 600;

/**
 * Why Envoy would refuse this regular expression (RE2 syntax, <https://github.com/google/re2/wiki/Syntax>). Completes a
 * sentence that begins with the field. O(pattern), bounded.
 */
export function findRegexFault(pattern: string): string | undefined {
  if (pattern === "") return "is empty: write an expression, or leave the match out";
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return `has ${pattern.length} characters, more than the ${MAX_PATTERN_LENGTH} that are taken`;
  }
  const compiled = compile(pattern);
  if ("error" in compiled) return `is no RE2 regular expression: ${compiled.error}`;
  const unicode = /\\[pP]/.test(pattern) || /\(\?[a-zA-Z]*i/.test(pattern);
  const beyondAscii = [...pattern].filter((character) => character > "\u007f").length;
  const perInstruction = (unicode ? INSTRUCTIONS_PER_UNICODE_CLASS : INSTRUCTIONS_PER_CLASS) + 3 * beyondAscii;
  return compiled.size * perInstruction <= MAX_PROGRAM_SIZE
    ? undefined
    : "is too large a regular expression for Envoy: use fewer or smaller repetitions";
}

/**
 * Why a replacement does not fit its pattern: RE2 knows `\0` to `\9` and `\\`, and leaves the text as it is when a group is
 * missing, so that the rewrite would silently do nothing.
 */
export function findSubstitutionFault(pattern: string, substitution: string): string | undefined {
  if (/[\r\n\0]/.test(substitution)) return "must not hold line breaks";
  const compiled = compile(pattern);
  if ("error" in compiled) return undefined;
  for (const [sequence] of substitution.matchAll(/\\[\s\S]?/g)) {
    const character = sequence[1] ?? "";
    if (character === "\\") continue;
    if (!/[0-9]/.test(character)) return `holds "${sequence}"; after a backslash comes a digit or another backslash`;
    if (Number(character) > compiled.groups) {
      return `refers to group ${character}, and the pattern has ${compiled.groups}`;
    }
  }
  return undefined;
}

type Compiled = { readonly size: number; readonly groups: number } | { readonly error: string };

function compile(pattern: string): Compiled {
  try {
    const expression = RE2JS.compile(pattern);
    return { size: expression.programSize(), groups: expression.groupCount() };
  } catch (error) {
    // The library throws for bad syntax, and only for that.
    return { error: error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : String(error) };
  }
}
