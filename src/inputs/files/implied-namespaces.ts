import { completeNamespace } from "../../api/core-rules.ts";
import type { KubernetesObject } from "../../api/object.ts";

/** Where objects are that name no namespace; it exists in every cluster. */
const DEFAULT_NAMESPACE = "default";

/**
 * In a cluster every object's namespace is there. In a folder it need not be written down: a namespace that has objects exists,
 * with the label that its name gives it, until a document defines it with labels of its own.
 */
export interface ImpliedNamespaces {
  /** An object, a Namespace included, is there that was not. Call before handing it on. */
  appeared(object: KubernetesObject): void;
  /** An object is no longer there. Call after its deletion was handed on. */
  disappeared(object: KubernetesObject): void;
}

export function createImpliedNamespaces(
  put: (name: string, namespace: KubernetesObject | undefined) => void,
): ImpliedNamespaces {
  const defined = new Set<string>();
  const members = new Map<string, number>();

  const imply = (name: string) =>
    put(name, completeNamespace({ apiVersion: "v1", kind: "Namespace", metadata: { name, generation: 1 } }));

  const count = (name: string, step: 1 | -1) => {
    const before = members.get(name) ?? 0;
    const after = before + step;
    if (after === 0) members.delete(name);
    else members.set(name, after);
    if (defined.has(name)) return;
    if (before === 0) imply(name);
    if (after === 0) put(name, undefined);
  };

  count(DEFAULT_NAMESPACE, 1);
  return {
    appeared({ kind, metadata }) {
      if (kind === "Namespace") defined.add(metadata.name);
      else if (metadata.namespace) count(metadata.namespace, 1);
    },
    disappeared({ kind, metadata }) {
      if (kind === "Namespace") {
        defined.delete(metadata.name);
        if (members.has(metadata.name)) imply(metadata.name);
      } else if (metadata.namespace) count(metadata.namespace, -1);
    },
  };
}
