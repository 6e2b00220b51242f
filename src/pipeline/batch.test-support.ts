import { collectionOf, validateObject } from "../api/kinds.ts";
import type { KubernetesObject } from "../api/object.ts";
import { objectKey } from "../base/keys.ts";
import type { Batch } from "./pipeline.ts";

/** Objects as an input would hand them over; throws when one is not valid. */
export function batchOf(...raw: object[]): Batch {
  const batch: Record<string, Map<string, KubernetesObject>> = {};
  for (const value of raw) {
    const { object, problems } = validateObject(value);
    if (object === undefined) throw new Error(JSON.stringify(problems));
    const collection = collectionOf(object) as string;
    batch[collection] ??= new Map();
    // A copy of this realm: jest runs tests in a realm of its own, and plain data of another one never counts as equal.
    const copy = JSON.parse(JSON.stringify(object)) as KubernetesObject;
    batch[collection].set(objectKey(object.metadata.namespace, object.metadata.name), copy);
  }
  return batch as Batch;
}
