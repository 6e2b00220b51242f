import { isRecord } from "../../api/field.ts";
import { infrastructureAnnotations } from "../../attach/infrastructure-name.ts";
import { sameData } from "../../dataflow/equality.ts";
import { contentHash } from "../../envoy/hash.ts";
import type { KubeObject } from "../../kube/resource-type.ts";

const RENDERED_ANNOTATION = infrastructureAnnotations.rendered;

/**
 * The object with its own hash on it. A hash that differs tells, after a restart too, that something was rendered differently, also
 * when all that changed is that a field is gone.
 */
export function stamp<T extends KubeObject>(object: T): T {
  const text = JSON.stringify(object);
  // Read back, so that it is what the server gets: without fields that are undefined.
  const plain = JSON.parse(text) as T;
  const annotations = { ...plain.metadata.annotations, [RENDERED_ANNOTATION]: contentHash(text) };
  return { ...plain, metadata: { ...plain.metadata, annotations } };
}

/**
 * Whether an object must be applied again.
 *
 * @param live as the API server has it now
 * @param stored what the server made of `desired` when it was last applied: it fills in defaults and rewrites quantities, which is no
 *   drift
 */
export function differs(desired: KubeObject, live: KubeObject | undefined, stored: unknown): boolean {
  if (live === undefined || live.metadata.deletionTimestamp !== undefined) return true;
  const hash = (object: KubeObject) => object.metadata.annotations?.[RENDERED_ANNOTATION];
  if (hash(live) !== hash(desired)) return true;
  return !sameData(project(live, desired), stored ?? desired);
}

/** The part of an object that has the shape of another: its fields, and the items of its lists by position. */
export function project(live: unknown, shape: unknown): unknown {
  if (Array.isArray(shape)) {
    if (!Array.isArray(live)) return live;
    return live.map((item, index) => project(item, shape[index]));
  }
  if (!isRecord(shape) || !isRecord(live)) return live;
  const fields = Object.keys(shape).flatMap((name) => {
    const value = project(live[name], shape[name]);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(fields);
}
