import type { WatchScope } from "../../kube/watch-set.ts";

/** `provider.kubernetes.watch` of the `EnvoyGateway` configuration. */
export interface WatchMode {
  readonly type?: string;
  readonly namespaces?: readonly string[];
  readonly namespaceSelector?: {
    readonly matchLabels?: Readonly<Record<string, string>>;
    readonly matchExpressions?: readonly {
      readonly key: string;
      readonly operator: string;
      readonly values?: readonly string[];
    }[];
  };
}

/**
 * Reads where objects are to be watched; all namespaces when nothing is said.
 *
 * @throws Error naming the field when the configuration contradicts itself
 */
export function readWatchScope(mode: WatchMode | undefined): WatchScope {
  const field = "provider.kubernetes.watch";
  switch (mode?.type) {
    case undefined:
      return { type: "All" };
    case "Namespaces":
      if (!mode?.namespaces?.length) throw new Error(`${field}.namespaces: name at least one for type Namespaces`);
      return { type: "Namespaces", namespaces: mode.namespaces };
    case "NamespaceSelector":
      if (!mode?.namespaceSelector) throw new Error(`${field}.namespaceSelector: is required for its type`);
      return {
        type: "NamespaceSelector",
        selector: selectorText(mode.namespaceSelector, `${field}.namespaceSelector`),
      };
    default:
      throw new Error(`${field}.type: must be Namespaces or NamespaceSelector (it is ${mode?.type})`);
  }
}

/** A label selector as the API server takes it in a query. */
function selectorText(selector: NonNullable<WatchMode["namespaceSelector"]>, field: string): string {
  const parts = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const word = { In: "in", NotIn: "notin", Exists: "", DoesNotExist: "!" }[operator];
    if (word === undefined)
      throw new Error(`${field}: operator ${operator} of ${key} must be In, NotIn, Exists or DoesNotExist`);
    const takesValues = word.endsWith("in");
    if (takesValues !== values.length > 0) {
      throw new Error(
        `${field}: operator ${operator} of ${key} takes ${takesValues ? "at least one value" : "no values"}`,
      );
    }
    parts.push(takesValues ? `${key} ${word} (${values.join()})` : `${word}${key}`);
  }
  return parts.join();
}
