import type { LabelSelector } from "./model.ts";

/** Whether labels satisfy a selector (Kubernetes LabelSelector: all requirements must hold; an empty one holds always). */
export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const exact = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
  return (
    exact &&
    (selector.matchExpressions ?? []).every((expression) => {
      const value = labels[expression.key];
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
