import { isRecord } from "../api/field.ts";

/** How one partial object is laid over another. */
export type MergeType = "StrategicMerge" | "JSONMerge";

/**
 * Lists that a strategic merge joins item by item: the path of the list (`spec.containers`, `[]` for the items of a list
 * further out, as in `spec.containers[].env`) and the field that tells its items apart. All other lists are replaced.
 */
export type MergeKeys = ReadonlyMap<string, string>;

const noKeys: MergeKeys = new Map();

export function mergeObjects(base: unknown, patch: unknown, type: MergeType, keys: MergeKeys = noKeys): unknown {
  return type === "JSONMerge" ? mergeJson(base, patch) : mergeStrategic(base, patch, keys, "");
}

/** RFC 7386: objects are merged, null removes, everything else replaces. */
function mergeJson(base: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(base) ? { ...base } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergeJson(result[name], value);
  }
  return result;
}

/**
 * Kubernetes' strategic merge patch: as RFC 7386, but lists with a key are merged by it, and the directives `$patch: delete`,
 * `$patch: replace`, `$retainKeys` and `$deleteFromPrimitiveList/<field>` are obeyed. The order of a merged list is that of the
 * base, new items last (`$setElementOrder/<field>` is of no meaning then and dropped).
 */
function mergeStrategic(base: unknown, patch: unknown, keys: MergeKeys, path: string): unknown {
  if (!isRecord(patch)) return patch;
  const { $patch: directive, $retainKeys: retained, ...fields } = patch;
  if (directive === "delete") return undefined;
  const result: Record<string, unknown> = directive !== "replace" && isRecord(base) ? { ...base } : {};
  for (const [name, value] of Object.entries(fields)) {
    if (name.startsWith("$setElementOrder/")) continue;
    if (name.startsWith("$deleteFromPrimitiveList/")) {
      const field = name.slice(name.indexOf("/") + 1);
      const list = result[field];
      if (Array.isArray(list) && Array.isArray(value)) result[field] = list.filter((item) => !value.includes(item));
      continue;
    }
    const inner = path === "" ? name : `${path}.${name}`;
    const merged = value === null ? undefined : mergeField(result[name], value, keys, inner);
    if (merged === undefined) delete result[name];
    else result[name] = merged;
  }
  if (!Array.isArray(retained)) return result;
  return Object.fromEntries(Object.entries(result).filter(([name]) => retained.includes(name)));
}

function mergeField(base: unknown, patch: unknown, keys: MergeKeys, path: string): unknown {
  if (!Array.isArray(patch)) return mergeStrategic(base, patch, keys, path);
  const key = keys.get(path);
  const isReplacing = patch.some((item) => isRecord(item) && item["$patch"] === "replace");
  const items = patch.filter((item) => !isRecord(item) || item["$patch"] !== "replace");
  if (key === undefined || isReplacing || !Array.isArray(base)) {
    // Items of a list that is not there yet are still patches: none of their directives may stay.
    return items.flatMap((item) => mergeStrategic(undefined, item, keys, `${path}[]`) ?? []);
  }
  const result: unknown[] = [...base];
  for (const item of items) {
    const index = result.findIndex((known) => isRecord(known) && isRecord(item) && known[key] === item[key]);
    const merged = mergeStrategic(result[index], item, keys, `${path}[]`);
    if (index < 0) result.push(...(merged === undefined ? [] : [merged]));
    else if (merged === undefined) result.splice(index, 1);
    else result[index] = merged;
  }
  return result;
}
