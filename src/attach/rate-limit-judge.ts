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
    judgeHeaders(rule, first, field, report);
  }
}

/** The same of limits of each Envoy by itself, of which some are settings of the whole filter there. */
export function judgeLocalRules(rules: readonly GlobalRule[], report: (field: string, text: string) => void): void {
  const [first] = rules;
  for (const [index, rule] of rules.entries()) {
    const field = `rateLimit.local.rules[${index}]`;
    if (rule.shared) {
      report(`${field}.shared`, "cannot be had of Envoy, whose routes have buckets of their own; write a global limit");
    }
    if ((rule.shadowMode ?? false) !== (first?.shadowMode ?? false)) {
      report(
        `${field}.shadowMode`,
        "is not what the first rule says, and Envoy tries out all rules or none; write the same in each",
      );
    }
    judgeHeaders(rule, first, field, report);
  }
}

function judgeHeaders(
  rule: GlobalRule,
  first: GlobalRule | undefined,
  field: string,
  report: (field: string, text: string) => void,
): void {
  if (rule.xRateLimitHeaders === first?.xRateLimitHeaders) return;
  report(
    `${field}.xRateLimitHeaders`,
    "is not what the first rule says, and Envoy writes these headers for all rules or none; write the same in each",
  );
}
