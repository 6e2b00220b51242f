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

/** A status as it should read, without times. */
export interface DesiredFields {
  readonly conditions?: readonly DesiredCondition[];
  readonly listeners?: readonly { readonly name: string; readonly conditions: readonly DesiredCondition[] }[];
  readonly ancestors?: readonly { readonly ancestorRef: object; readonly conditions: readonly DesiredCondition[] }[];
}

interface StandingFields {
  readonly conditions?: readonly Condition[];
  readonly listeners?: readonly { readonly name: string; readonly conditions?: readonly Condition[] }[];
  readonly ancestors?: readonly { readonly ancestorRef: object; readonly conditions?: readonly Condition[] }[];
}

/** The status to apply: with the times at which conditions flipped, of the object and of its listeners or ancestors. */
export function stampFields(desired: DesiredFields, standing: unknown, now: string): object {
  const before = (isRecord(standing) ? standing : {}) as StandingFields;
  return {
    ...desired,
    ...(desired.conditions && { conditions: stamp(desired.conditions, before.conditions, now) }),
    ...(desired.listeners && {
      listeners: desired.listeners.map((listener) => {
        const previous = before.listeners?.find(({ name }) => name === listener.name);
        return { ...listener, conditions: stamp(listener.conditions, previous?.conditions, now) };
      }),
    }),
    ...(desired.ancestors && {
      ancestors: desired.ancestors.map((ancestor) => {
        const identity = printOf({ ancestorRef: ancestor.ancestorRef });
        const previous = before.ancestors?.find(({ ancestorRef }) => printOf({ ancestorRef }) === identity);
        return { ...ancestor, conditions: stamp(ancestor.conditions, previous?.conditions, now) };
      }),
    }),
  };
}
