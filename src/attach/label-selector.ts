import type { LabelSelector } from "./model.ts";

/** Why a selector cannot be understood; completes a sentence that begins with the field. The schema leaves operators unchecked. */
export function findSelectorFault(selector: LabelSelector): string | undefined {
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const takesValues = operator === "In" || operator === "NotIn";
    if (!takesValues && operator !== "Exists" && operator !== "DoesNotExist") {
      return `has operator ${operator} for label ${key}; write In, NotIn, Exists or DoesNotExist`;
    }
    if (takesValues && values.length === 0) return `has no values for ${operator} of label ${key}; write at least one`;
    if (!takesValues && values.length > 0) return `has values for ${operator} of label ${key}; remove them`;
  }
  return undefined;
}

/** Whether labels satisfy a selector (Kubernetes LabelSelector: all requirements must hold; an empty one holds always). */
export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  // Labels come from users and may be named like members of every object, such as `constructor`.
  const labelOf = (key: string) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  const exact = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labelOf(key) === value);
  return (
    exact &&
    (selector.matchExpressions ?? []).every((expression) => {
      const value = labelOf(expression.key);
      switch (expression.operator) {
        case "In":
          return value !== undefined && (expression.values ?? []).includes(value);
        case "NotIn":
          return value === undefined || !(expression.values ?? []).includes(value);
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        default:
          return false;
      }
    })
  );
}
