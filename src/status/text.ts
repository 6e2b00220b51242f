import { type DesiredCondition, isBad } from "./conditions.ts";
import type { ObjectStatus } from "./render.ts";

/** A condition together with the part of the object that it speaks of. */
interface Line {
  /** Empty for the object itself, else such as `listener http` or `at Gateway default/web`. */
  readonly part: string;
  readonly condition: DesiredCondition;
}

/** Statuses for a terminal: an object a line, and below it whatever is wrong, with reason and message. */
export function renderStatuses(statuses: Iterable<readonly [string, ObjectStatus]>): string {
  const sorted = [...statuses].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([key, status]) => renderObject(key, status)).join("\n");
}

/** One object. `key` is `kind/namespace/name`. */
export function renderObject(key: string, status: ObjectStatus): string {
  const lines = linesOf(status);
  const good = lines.filter(({ condition }) => !isBad(condition) && condition.status === "True");
  const bad = lines.filter(({ condition }) => isBad(condition));
  const head = `${key}  ${summarize(good, bad)}${describeListeners(status)}`;
  const details = bad.map(({ part, condition }) => {
    const where = part === "" ? "" : `${part}: `;
    return `    ${where}${condition.type}=${condition.status} ${condition.reason}: ${condition.message}`;
  });
  return [head, ...details].join("\n");
}

function summarize(good: readonly Line[], bad: readonly Line[]): string {
  const names = (lines: readonly Line[]) => [...new Set(lines.map(({ condition }) => condition.type))];
  const wrong = names(bad);
  const right = names(good).filter((name) => !wrong.includes(name));
  return [...right, ...wrong.map((name) => `!${name}`)].join(" ");
}

function describeListeners(status: ObjectStatus): string {
  if (!("listeners" in status)) return "";
  const routes = status.listeners.map(({ name, attachedRoutes }) => `${name}: ${attachedRoutes}`);
  return `  (routes at ${routes.join(", ")})`;
}

function linesOf(status: ObjectStatus): Line[] {
  if ("parents" in status) {
    return status.parents.flatMap(({ parentRef, conditions }) => {
      const section = parentRef.sectionName === undefined ? "" : `, ${parentRef.sectionName}`;
      return conditions.map((condition) => ({ part: `at ${parentRef.name}${section}`, condition }));
    });
  }
  const own = status.conditions.map((condition) => ({ part: "", condition }));
  if (!("listeners" in status)) return own;
  const listeners = status.listeners.flatMap(({ name, conditions }) =>
    conditions.map((condition) => ({ part: `listener ${name}`, condition })),
  );
  return [...own, ...listeners];
}
