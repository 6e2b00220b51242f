import { isRecord } from "../api/field.ts";
import type { Condition, DesiredCondition } from "./conditions.ts";
import { printOf, stamp } from "./writer-entries.ts";

/**
 * Our part of a status whose fields have owners (server-side apply): what `metadata.managedFields` says that we applied last, as
 * it stands now. What another manager has changed since is no longer ours, so it is missing here and will be applied again.
 */

/** Who writes statuses, as managedFields shows it. */
export const STATUS_FIELD_MANAGER = "gatehouse-status";

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly fieldsV1?: unknown;
}

/** The fields of `status` that we own, with their values; undefined when we own none. */
export function ownFields(object: {
  readonly metadata: object;
  readonly status?: unknown;
}): Readonly<Record<string, unknown>> | undefined {
  const { managedFields } = object.metadata as { readonly managedFields?: readonly ManagedFields[] };
  const ours = managedFields?.find(
    ({ manager, operation, subresource }) =>
      manager === STATUS_FIELD_MANAGER && operation === "Apply" && subresource === "status",
  );
  const set = isRecord(ours?.fieldsV1) ? ours.fieldsV1["f:status"] : undefined;
  const part = extract(object.status, set);
  return isRecord(part) && Object.keys(part).length > 0 ? part : undefined;
}

/**
 * The part of a value that a field set of managedFields names. A set is a tree: `f:name` a field, `k:{…}` the item with these keys,
 * `v:…` an item by its value, `.` the thing itself; an empty set is all of it. Null for what is not there any more.
 */
function extract(value: unknown, set: unknown): unknown {
  if (!isRecord(set) || value === undefined || value === null) return undefined;
  const names = Object.keys(set).filter((name) => name !== ".");
  if (names.length === 0) return isRecord(value) && "." in set ? {} : value;
  if (Array.isArray(value)) {
    return names.flatMap((name) => {
      const item = findItem(value, name);
      const part = name.startsWith("v:") ? item : extract(item, set[name]);
      return part === undefined ? [] : [part];
    });
  }
  if (!isRecord(value)) return undefined;
  const part: Record<string, unknown> = {};
  for (const name of names) {
    const field = name.slice(2);
    const inner = extract(value[field], set[name]);
    if (inner !== undefined) part[field] = inner;
  }
  return part;
}

function findItem(items: readonly unknown[], name: string): unknown {
  const wanted: unknown = JSON.parse(name.slice(2));
  if (!name.startsWith("k:") || !isRecord(wanted)) return items.find((item) => item === wanted);
  return items.find((item) => isRecord(item) && Object.entries(wanted).every(([key, value]) => item[key] === value));
}

/** A status as it should read, without times; conditions stand in it and in the items of its lists. */
export type DesiredFields = Readonly<Record<string, unknown>>;

interface Item {
  readonly name?: string;
  readonly ancestorRef?: unknown;
  readonly conditions: readonly DesiredCondition[];
}

/** The status to apply: with the times at which conditions flipped, of the object, of its listeners and of its ancestors. */
export function stampFields(desired: DesiredFields, standing: unknown, now: string): object {
  const before = isRecord(standing) ? standing : {};
  return Object.fromEntries(
    Object.entries(desired).map(([field, value]) => {
      if (!Array.isArray(value)) return [field, value];
      const previous = Array.isArray(before[field]) ? before[field] : [];
      if (field === "conditions") return [field, stamp(value, previous, now)];
      return [field, value.map((item: unknown) => (hasConditions(item) ? stampItem(item, previous, now) : item))];
    }),
  );
}

function hasConditions(item: unknown): item is Item {
  return isRecord(item) && Array.isArray(item["conditions"]);
}

function stampItem(item: Item, standing: readonly unknown[], now: string): object {
  const identity = identityOf(item);
  const previous = standing.filter(hasConditions).find((candidate) => identityOf(candidate) === identity);
  return { ...item, conditions: stamp(item.conditions, previous?.conditions as Condition[] | undefined, now) };
}

function identityOf({ name, ancestorRef }: Item): string {
  return printOf({ name, ancestorRef });
}
