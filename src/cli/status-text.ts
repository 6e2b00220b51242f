import { type DesiredCondition, isBad } from "../status/conditions.ts";
import type { ObjectStatus } from "../status/render.ts";

/** `good`; `noted`: in effect, but there is something to tell; `pending` while the only thing missing is Envoy's answer; else `bad`. */
export type Verdict = "good" | "noted" | "pending" | "bad";

export interface StatusText {
  readonly verdict: Verdict;
  /** What is known of it, in a few words; may be empty. */
  readonly details: string;
  /** One line for each thing that is not as it should be. */
  readonly findings: readonly string[];
}

/** Types of conditions of what is in effect all the same. */
const notes: ReadonlySet<string> = new Set(["Warning", "Overridden", "Merged", "Aggregated"]);

/** Listeners or Gateways beyond so many are counted, not named. */
const NAMED_MAX = 5;

/** The messages of a whole route with many rules can be joined in one condition. */
const MESSAGE_LENGTH_MAX = 500;

/** A status as people read it. */
export function formatStatus(status: ObjectStatus): StatusText {
  const bad = splitStatus(status).flatMap(({ conditions, ...place }) =>
    conditions.filter(isBad).map((condition) => ({ place, condition })),
  );
  return { verdict: judge(bad.map(({ condition }) => condition)), details: describe(status), findings: sayOnce(bad) };
}

function judge(bad: readonly DesiredCondition[]): Verdict {
  const grave = bad.filter(({ type }) => !notes.has(type));
  if (grave.length === 0) return bad.length === 0 ? "good" : "noted";
  return grave.every(isPending) ? "pending" : "bad";
}

/** Something of it is missing nothing but Envoy's answer, whatever else is wrong. */
export function awaitsEnvoy(status: ObjectStatus): boolean {
  return splitStatus(status).some(({ conditions }) => conditions.some((one) => isBad(one) && isPending(one)));
}

/** One cause shows in several conditions and on every Gateway of a route; it is one line. */
function sayOnce(bad: readonly Finding[]): string[] {
  const findings = new Map<string, { message: string; verdicts: Set<string>; places: Map<string, Place> }>();
  for (const { place, condition } of bad) {
    const { type, status, reason, message } = condition;
    const key = `${place.noun} ${message}`;
    const finding = findings.get(key) ?? { message, verdicts: new Set(), places: new Map() };
    finding.verdicts.add(`${type}=${status} (${reason})`);
    finding.places.set(place.name, place);
    findings.set(key, finding);
  }
  return [...findings.values()].map(({ message, verdicts, places }) => {
    const where = formatPlaces([...places.values()]);
    return `${where}${[...verdicts].join(", ")}: ${shorten(message)}`;
  });
}

function shorten(message: string): string {
  return message.length <= MESSAGE_LENGTH_MAX ? message : `${message.slice(0, MESSAGE_LENGTH_MAX)} … (-o yaml has all)`;
}

function formatPlaces(places: readonly Place[]): string {
  const noun = places[0]?.noun;
  if (noun === undefined || noun === "object") return "";
  const plural = noun === "listener" && places.length > 1 ? "s" : "";
  return `${noun}${plural} ${formatNames(places.map(({ name }) => name))}: `;
}

/** The first few of them. */
export function formatNames(names: readonly string[]): string {
  const rest = names.length - NAMED_MAX;
  return `${names.slice(0, NAMED_MAX).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** Nothing is wrong, only not yet acknowledged. */
function isPending({ type, reason }: DesiredCondition): boolean {
  return (
    type === "Programmed" &&
    (reason === "Pending" ||
      reason === "NoResources" ||
      reason === "AddressNotAssigned" ||
      reason === "ParentNotProgrammed")
  );
}

/** The part of an object that a condition is about. */
interface Place {
  readonly noun: "object" | "listener" | "on" | "for";
  readonly name: string;
}

interface Finding {
  readonly place: Place;
  readonly condition: DesiredCondition;
}

function splitStatus(status: ObjectStatus): (Place & { readonly conditions: readonly DesiredCondition[] })[] {
  if ("parents" in status) {
    return status.parents.map(({ parentRef, conditions }) => ({
      noun: "on",
      name: `${parentRef.name}${parentRef.sectionName === undefined ? "" : `/${parentRef.sectionName}`}`,
      conditions,
    }));
  }
  if ("ancestors" in status) {
    return status.ancestors.map(({ ancestorRef: { kind, name }, conditions }) => ({
      noun: "for",
      name: `${kind} ${name}`,
      conditions,
    }));
  }
  const own = { noun: "object", name: "", conditions: status.conditions } as const;
  if (!("listeners" in status)) return [own];
  return [own, ...status.listeners.map(({ name, conditions }) => ({ noun: "listener" as const, name, conditions }))];
}

function describe(status: ObjectStatus): string {
  if ("listeners" in status) {
    const programmed = status.conditions.some(({ type, status: is }) => type === "Programmed" && is === "True");
    const where = "addresses" in status ? ` at ${status.addresses.map(({ value }) => value).join(", ")}` : "";
    const listeners = status.listeners.map(
      ({ name, attachedRoutes }) => `listener ${name} has ${attachedRoutes} route${attachedRoutes === 1 ? "" : "s"}`,
    );
    return [
      ...(programmed ? [`Programmed${where}`] : []),
      ...(listeners.length > NAMED_MAX ? [`${listeners.length} listeners`] : listeners),
    ].join(", ");
  }
  if ("ancestors" in status) {
    if (status.ancestors.length === 0) return "used by no GatewayClass or Gateway of Gatehouse";
    return `used by ${formatNames(status.ancestors.map(({ ancestorRef: { kind, name } }) => `${kind} ${name}`))}`;
  }
  if ("parents" in status) {
    if (status.parents.length === 0) return "belongs to no Gateway of Gatehouse";
    return `on ${formatNames([...new Set(status.parents.map(({ parentRef }) => parentRef.name))])}`;
  }
  return "";
}
