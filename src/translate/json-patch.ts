import { type JSONPatchError, type JSONValue, jsonpatch, jsonpath } from "json-p3";

/** An operation of RFC 6902; with `jsonPath` (RFC 9535) it is done at every place found, `path` appended to each. */
export interface PatchOperation {
  readonly op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  readonly path?: string;
  readonly jsonPath?: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** What came out, or which operation failed and why. */
export type PatchResult = { readonly value: unknown } | { readonly index: number; readonly error: string };

/** Applies operations one after the other to a copy; all or nothing. O(operations × size) for those with jsonPath. */
export function applyJsonPatch(document: unknown, operations: readonly PatchOperation[]): PatchResult {
  let value = structuredClone(document) as JSONValue;
  for (const [index, operation] of operations.entries()) {
    try {
      const paths = findPaths(value, operation);
      if (paths.length === 0) return { index, error: `jsonPath ${operation.jsonPath} finds nothing` };
      // From the last to the first, so that what is removed from a list does not move what is still to be changed.
      for (const path of paths.reverse()) value = jsonpatch.apply([toOperation(operation, path)], value) as JSONValue;
    } catch (error) {
      return { index, error: (error as JSONPatchError).message };
    }
  }
  return { value };
}

function findPaths(value: JSONValue, { jsonPath, path = "" }: PatchOperation): string[] {
  if (jsonPath === undefined || jsonPath === "") return [path];
  return jsonpath.query(jsonPath, value).nodes.map((node) => `${node.toPointer().toString()}${path}`);
}

type Operation = Parameters<typeof jsonpatch.apply>[0][number];

function toOperation({ op, from, value }: PatchOperation, path: string): Operation {
  switch (op) {
    case "move":
    case "copy":
      return { op, from: from ?? "", path };
    case "remove":
      return { op, path };
    default:
      return { op, path, value: value as JSONValue };
  }
}
