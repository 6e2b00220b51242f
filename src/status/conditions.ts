import type { Problem } from "../base/problems.ts";

/** A condition without its time: what a status should say. Times are added when it is compared with what stands. */
export interface DesiredCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

export interface Condition extends DesiredCondition {
  /** RFC 3339, seconds. */
  readonly lastTransitionTime: string;
}

/** metav1.Condition.message, maxLength; counted in bytes, which no reader can take for more. */
const MESSAGE_BYTES_MAX = 32_768;
const TRUNCATED = " (message truncated).";

/** Conditions whose bad status is True, and those that are told only where they are True; of all others it is False. */
const badWhenTrue = new Set([
  "Conflicted",
  "OverlappingTLSConfig",
  "InsecureFrontendValidationMode",
  "PartiallyInvalid",
  "RouteRulesOverlap",
  "Overridden",
  "Merged",
  "Warning",
  "Aggregated",
]);

/** First letter upper case, a period at the end, at most as long as a condition may be. */
export function formatMessage(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const sentence = `${trimmed.charAt(0).toUpperCase()}${trimmed.slice(1)}${/[.!?]$/.test(trimmed) ? "" : "."}`;
  return Buffer.byteLength(sentence) <= MESSAGE_BYTES_MAX ? sentence : truncate(sentence);
}

function truncate(sentence: string): string {
  const bytes = Buffer.from(sentence).subarray(0, MESSAGE_BYTES_MAX - TRUNCATED.length);
  // As part of a stream, a character that is cut in two is left out rather than replaced.
  return new TextDecoder().decode(bytes, { stream: true }) + TRUNCATED;
}

/**
 * The condition of one type: its bad status when there are problems of it, with their reasons (one, or several joined by
 * commas) and messages, else the good one.
 */
export function judge(
  type: string,
  problems: readonly Problem[],
  good: { readonly reason: string; readonly message: string },
  generation: number | undefined,
): DesiredCondition {
  const own = problems.filter((problem) => problem.condition === type);
  const [bad, fine] = badWhenTrue.has(type) ? (["True", "False"] as const) : (["False", "True"] as const);
  const said =
    own.length === 0
      ? { status: fine, reason: good.reason, message: formatMessage(good.message) }
      : {
          status: bad,
          reason: reasonOf(type, own),
          message: formatMessage([...new Set(own.map((problem) => formatMessage(problem.message)))].join(" ")),
        };
  return generation === undefined ? { type, ...said } : { type, ...said, observedGeneration: generation };
}

/** Several warnings have a reason of their own, as with Envoy Gateway; other conditions list theirs. */
function reasonOf(type: string, problems: readonly Problem[]): string {
  const reasons = [...new Set(problems.map(({ reason }) => reason))];
  return type === "Warning" && reasons.length > 1 ? "Warnings" : reasons.join(",");
}

/** Conditions that exist only while something is wrong. */
export function judgeExtra(
  types: readonly string[],
  problems: readonly Problem[],
  generation: number | undefined,
): DesiredCondition[] {
  return types
    .filter((type) => problems.some((problem) => problem.condition === type))
    .map((type) => judge(type, problems, { reason: "", message: "" }, generation));
}

/**
 * The conditions to write: ours, each with the time at which its status last flipped, and those of others as they stand. Types
 * of ours (`owned`) that are no longer wanted disappear.
 * @param now RFC 3339, seconds
 */
export function mergeConditions(
  previous: readonly Condition[],
  desired: readonly DesiredCondition[],
  owned: ReadonlySet<string>,
  now: string,
): Condition[] {
  const foreign = previous.filter(({ type }) => !owned.has(type) && !desired.some((one) => one.type === type));
  const merged = desired.map((condition): Condition => {
    const before = previous.find(({ type }) => type === condition.type);
    const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : now;
    return { ...condition, lastTransitionTime };
  });
  return [...merged, ...foreign];
}

/** True when the condition says that something is wrong, or not known to be right. */
export function isBad(condition: DesiredCondition): boolean {
  if (condition.status === "Unknown") return true;
  return condition.status === (badWhenTrue.has(condition.type) ? "True" : "False");
}
