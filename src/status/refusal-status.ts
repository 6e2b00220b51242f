import { isRecord } from "../api/field.ts";
import type { ParentReference } from "../api/gateway-api.ts";
import type { ParentKind } from "../attach/parents.ts";
import { type ObjectKey, objectKey } from "../base/keys.ts";
import { type DesiredCondition, judge } from "./conditions.ts";
import type { ObjectStatus } from "./render.ts";
import type { RouteParentStatus } from "./route-status.ts";

/** An object that the API server took and our validators did not: nobody but its status can tell its author. */
export interface Refusal {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly generation: number | undefined;
  /** The object's `spec` as it came, in whatever shape. */
  readonly spec: unknown;
  /** Fields and what is wrong with them. */
  readonly message: string;
}

/** What is known of other objects, to tell whether a refused one would be ours. */
export interface RefusalContext {
  readonly controllerNames: readonly string[];
  readonly isOurClass: (name: string) => boolean;
  /** The controller of a Gateway of ours, or of a ListenerSet of one. */
  readonly controllerOf: (kind: ParentKind, key: ObjectKey) => string | undefined;
}

const GATEWAY_GROUP = "gateway.networking.k8s.io";

/**
 * The status of a refused object, or undefined when it is none of ours. All but the refusal is as it was: where a former version
 * stays in use, `last` says what became of that.
 */
export function renderRefusal(
  refusal: Refusal,
  last: ObjectStatus | undefined,
  context: RefusalContext,
): ObjectStatus | undefined {
  if (last !== undefined) return overwrite(last, refusal);
  const spec = isRecord(refusal.spec) ? refusal.spec : {};
  switch (refusal.kind) {
    case "GatewayClass":
      return context.controllerNames.some((name) => name === spec["controllerName"])
        ? { conditions: [refuse(refusal, "Unsupported")] }
        : undefined;
    case "Gateway":
      return typeof spec["gatewayClassName"] === "string" && context.isOurClass(spec["gatewayClassName"])
        ? { addresses: [], conditions: [refuse(refusal, "Invalid")], listeners: [] }
        : undefined;
    case "ListenerSet":
      return refuseParents([spec["parentRef"]], refusal, context, ["Gateway"]).length > 0
        ? { conditions: [refuse(refusal, "Invalid")], listeners: [] }
        : undefined;
    case "HTTPRoute":
    case "GRPCRoute":
      return { parents: refuseParents(spec["parentRefs"], refusal, context) };
    case "BackendTLSPolicy":
      // For whom it would count nobody can tell.
      return { ancestors: [] };
    default:
      return { conditions: [refuse(refusal, "Invalid")] };
  }
}

function refuseParents(
  raw: unknown,
  refusal: Refusal,
  context: RefusalContext,
  kinds: readonly ParentKind[] = ["Gateway", "ListenerSet"],
): RouteParentStatus[] {
  const parents: RouteParentStatus[] = [];
  for (const parentRef of Array.isArray(raw) ? raw : []) {
    if (!isRecord(parentRef) || typeof parentRef["name"] !== "string") continue;
    const { group = GATEWAY_GROUP, kind = "Gateway", namespace = refusal.namespace, name } = parentRef;
    const known = kinds.find((one) => one === kind);
    if (group !== GATEWAY_GROUP || known === undefined || typeof namespace !== "string") continue;
    const controllerName = context.controllerOf(known, objectKey(namespace, name));
    if (controllerName === undefined) continue;
    parents.push({
      parentRef: parentRef as unknown as ParentReference,
      controllerName,
      conditions: [refuse(refusal, "UnsupportedValue")],
    });
  }
  return parents;
}

/** The last status, with the refusal in the place of what it said of acceptance. */
function overwrite(last: ObjectStatus, refusal: Refusal): ObjectStatus {
  const kept = "; the version before it stays in use";
  const replace = (conditions: readonly DesiredCondition[], reason: string) => [
    refuse({ ...refusal, message: `${refusal.message}${kept}` }, reason),
    ...conditions.filter(({ type }) => type !== "Accepted"),
  ];
  if ("parents" in last) {
    return {
      parents: last.parents.map((parent) => ({
        ...parent,
        conditions: replace(parent.conditions, "UnsupportedValue"),
      })),
    };
  }
  if ("ancestors" in last) {
    return {
      ancestors: last.ancestors.map((ancestor) => ({
        ...ancestor,
        conditions: replace(ancestor.conditions, "Invalid"),
      })),
    };
  }
  const reason = refusal.kind === "GatewayClass" ? "Unsupported" : "Invalid";
  return { ...last, conditions: replace(last.conditions, reason) };
}

function refuse({ kind, message, generation }: Refusal, reason: string): DesiredCondition {
  const problem = { condition: "Accepted", reason, message: `The ${kind} is not understood: ${message}` };
  return judge("Accepted", [problem], { reason, message: "" }, generation);
}
