import { type DesiredCondition, isBad } from "../status/conditions.ts";
import type { ObjectStatus } from "../status/render.ts";

/** `good`; `pending` while the only thing missing is Envoy's answer; else `bad`. */
export type Verdict = "good" | "pending" | "bad";

export interface StatusText {
  readonly verdict: Verdict;
  /** First line: the object and what is known of it; then one line for each condition that is not as it should be. */
  readonly lines: readonly string[];
}

const marks: Readonly<Record<Verdict, string>> = { good: "ok     ", pending: "pending", bad: "PROBLEM" };

/**
 * A status as people read it.
 *
 * @param key `kind/namespace/name` or `kind/name`
 */
export function formatStatus(key: string, status: ObjectStatus): StatusText {
  const slash = key.indexOf("/");
  const title = `${key.slice(0, slash)} ${key.slice(slash + 1)}`;
  const parts = splitStatus(status);
  const bad = parts.flatMap(({ place, conditions }) =>
    conditions.filter(isBad).map((condition) => ({ place, condition })),
  );
  const verdict: Verdict =
    bad.length === 0 ? "good" : bad.every(({ condition }) => isPending(condition)) ? "pending" : "bad";
  const details = describe(status);
  return {
    verdict,
    lines: [
      `${marks[verdict]} ${title}${details === "" ? "" : `: ${details}`}`,
      ...bad.map(({ place, condition }) => `          ${place}${formatCondition(condition)}`),
    ],
  };
}

/** Something of it is missing nothing but Envoy's answer, whatever else is wrong. */
export function awaitsEnvoy(status: ObjectStatus): boolean {
  return splitStatus(status).some(({ conditions }) => conditions.some((one) => isBad(one) && isPending(one)));
}

function formatCondition({ type, status, reason, message }: DesiredCondition): string {
  return `${type}=${status} (${reason}): ${message}`;
}

/** Nothing is wrong, only not yet acknowledged. */
function isPending({ type, reason }: DesiredCondition): boolean {
  return type === "Programmed" && (reason === "Pending" || reason === "NoResources" || reason === "AddressNotAssigned");
}

function splitStatus(status: ObjectStatus): { place: string; conditions: readonly DesiredCondition[] }[] {
  if ("parents" in status) {
    return status.parents.map(({ parentRef, conditions }) => ({
      place: `on ${parentRef.name}${parentRef.sectionName === undefined ? "" : `/${parentRef.sectionName}`}: `,
      conditions,
    }));
  }
  if ("ancestors" in status) {
    return status.ancestors.map(({ ancestorRef: { kind, name }, conditions }) => ({
      place: `for ${kind} ${name}: `,
      conditions,
    }));
  }
  const own = { place: "", conditions: status.conditions };
  if (!("listeners" in status)) return [own];
  return [own, ...status.listeners.map(({ name, conditions }) => ({ place: `listener ${name}: `, conditions }))];
}

function describe(status: ObjectStatus): string {
  if ("listeners" in status) {
    const programmed = status.conditions.some(({ type, status: is }) => type === "Programmed" && is === "True");
    const where = status.addresses.map(({ value }) => value).join(", ");
    return [
      ...(programmed ? [`Programmed at ${where}`] : []),
      ...status.listeners.map(
        ({ name, attachedRoutes }) => `listener ${name} has ${attachedRoutes} route${attachedRoutes === 1 ? "" : "s"}`,
      ),
    ].join(", ");
  }
  if ("ancestors" in status) {
    if (status.ancestors.length === 0) return "used by no GatewayClass or Gateway of Gatehouse";
    return `used by ${status.ancestors.map(({ ancestorRef: { kind, name } }) => `${kind} ${name}`).join(", ")}`;
  }
  if ("parents" in status) {
    if (status.parents.length === 0) return "belongs to no Gateway of Gatehouse";
    return `on ${status.parents.map(({ parentRef }) => parentRef.name).join(", ")}`;
  }
  return "";
}
