/**
 * Structural equality of plain data: primitives, arrays, plain objects, Maps, byte arrays. Anything else (a class instance, a
 * function, a Date) is equal only to itself: a needless "different" costs a recomputation, a wrong "equal" would lose a
 * change. Data must be free of cycles. O(size), ends at the first difference; shared parts cost nothing.
 */
export function sameData(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return Number.isNaN(a) && Number.isNaN(b);
  if (Array.isArray(a)) return Array.isArray(b) && sameArrays(a, b);
  if (isPlain(a)) return isPlain(b) && sameObjects(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && sameBytes(a, b);
  if (a instanceof Map) return b instanceof Map && sameMaps(a, b);
  return false;
}

type PlainObject = Readonly<Record<string, unknown>>;

function isPlain(value: object): value is PlainObject {
  const prototype = Object.getPrototypeOf(value) as unknown;
  return prototype === Object.prototype || prototype === null;
}

function sameArrays(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) {
    if (!sameData(a[i], b[i])) return false;
  }
  return true;
}

function sameObjects(a: PlainObject, b: PlainObject): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) {
    const other = b[key];
    if (!sameData(a[key], other) || (other === undefined && !Object.hasOwn(b, key))) return false;
  }
  return true;
}

function sameMaps(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    const other = b.get(key);
    if (!sameData(value, other) || (other === undefined && !b.has(key))) return false;
  }
  return true;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0;
}
