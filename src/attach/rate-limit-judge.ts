import type { GlobalRule } from "./rate-limit.ts";

type Selector = NonNullable<GlobalRule["clientSelectors"]>[number];

/** What the schema allows of limits that a service counts, and neither it nor Envoy can do. Costs and names are judged elsewhere. */
export function judgeGlobalRules(
  rules: readonly GlobalRule[],
  judgeSelector: (selector: Selector, field: string) => void,
  report: (field: string, text: string) => void,
): void {
  const [first] = rules;
  for (const [index, rule] of rules.entries()) {
    const field = `rateLimit.global.rules[${index}]`;
    for (const [number, selector] of (rule.clientSelectors ?? []).entries()) {
      judgeSelector(selector, `${field}.clientSelectors[${number}]`);
    }
    if (rule.shadowMode && rule.limit.fromMetadata) {
      report(`${field}.shadowMode`, "cannot be had for a limit from metadata, which the service enforces; remove one");
    }
    if (rule.xRateLimitHeaders !== first?.xRateLimitHeaders) {
      report(
        `${field}.xRateLimitHeaders`,
        "is not what the first rule says, and Envoy writes these headers for all rules or none; write the same in each",
      );
    }
  }
}
