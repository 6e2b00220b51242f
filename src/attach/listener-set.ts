import { type Gateway, gatewayGroup, type ListenerSet } from "../api/gateway-api.ts";
import { compareStrings, type ObjectKey, objectKey, splitObjectKey } from "../base/keys.ts";
import { noProblems, type Problem, problemAt } from "../base/problems.ts";
import { findSelectorFault, matchesLabels } from "./label-selector.ts";
import { planListener } from "./listener.ts";
import type { LabelSelector, ListenerPlan } from "./model.ts";

/** A ListenerSet, and what its listeners come to by themselves. */
export interface ListenerSetDraft {
  readonly key: ObjectKey;
  /** The Gateway that it names, whether there is one or not. */
  readonly gateway: ObjectKey;
  /** Of `metadata.creationTimestamp`, empty when it has none. */
  readonly created: string;
  readonly listeners: readonly ListenerPlan[];
}

/** A ListenerSet that names a Gateway of ours. */
export interface ListenerSetPlan {
  readonly key: ObjectKey;
  /** Of `metadata.creationTimestamp`, empty when it has none. */
  readonly created: string;
  /** Why its listeners are not among those of the Gateway. */
  readonly problems: readonly Problem[];
}

/** Undefined: it names something that is no Gateway. O(listeners). */
export function draftListenerSet({ metadata, spec }: ListenerSet): ListenerSetDraft | undefined {
  const { group = gatewayGroup, kind = "Gateway", namespace = metadata.namespace, name } = spec.parentRef;
  if (group !== gatewayGroup || kind !== "Gateway") return undefined;
  const key = objectKey(metadata.namespace, metadata.name);
  const gateway = objectKey(namespace, name);
  const owner = { gateway, listenerSet: key };
  return {
    key,
    gateway,
    created: metadata.creationTimestamp ?? "",
    listeners: spec.listeners.map((listener, index) => planListener(owner, listener, index)),
  };
}

/** Gateway API, ListenerSetSpec.listeners: the oldest comes first, then the first by namespace and name. */
export function compareListenerSets(a: ListenerSetDraft, b: ListenerSetDraft): number {
  return compareStrings(a.created, b.created) || compareStrings(a.key, b.key);
}

export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>>;

/** Whether a Gateway takes a ListenerSet that names it (Gateway API, GatewaySpec.allowedListeners: it takes none unless it says so). */
export function judgeListenerSet(
  gateway: Gateway,
  { key, gateway: gatewayKey }: ListenerSetDraft,
  labelsOf: NamespaceLabels,
): readonly Problem[] {
  const { namespace } = splitObjectKey(key);
  const { from = "None", selector: wanted } = gateway.spec.allowedListeners?.namespaces ?? {};
  const selector = wanted as LabelSelector | undefined;
  const refuse = (text: string) => [problemAt("Accepted", "NotAllowed", "spec.parentRef", text)];
  const leads = `leads to Gateway ${gatewayKey}`;
  if (from === "All" || (from === "Same" && namespace === gateway.metadata.namespace)) return noProblems;
  if (from === "Selector" && selector !== undefined) {
    const fault = findSelectorFault(selector);
    if (fault !== undefined) return refuse(`${leads}, whose spec.allowedListeners.namespaces.selector ${fault}`);
    if (matchesLabels(selector, labelsOf(namespace))) return noProblems;
  }
  const taken = from === "None" ? "no ListenerSets" : `no ListenerSets of namespace ${namespace}`;
  return refuse(`${leads}, whose spec.allowedListeners takes ${taken}; change that, or name another Gateway`);
}
