import type { ClientTrafficPolicy } from "../api/clienttrafficpolicy.ts";
import { findSelectorFaults } from "./policy-claims.ts";
import { findUnservedFields } from "./policy-fields.ts";
import type { PolicyFinding } from "./policy-model.ts";
import { expandShorthands } from "./policy-shorthands.ts";

/** The settings of a ClientTrafficPolicy in the catalogue's fields alone, without where it belongs. */
export type ClientTrafficSettings = Omit<ClientTrafficPolicy["spec"], "targetRef" | "targetRefs" | "targetSelectors">;

export interface ClientTrafficPlan {
  /** Undefined: the policy cannot do what it says, and its listeners answer every request with 500. */
  readonly settings?: ClientTrafficSettings;
  readonly refused: readonly PolicyFinding[];
  readonly warnings: readonly PolicyFinding[];
}

export function planClientTraffic(policy: ClientTrafficPolicy): ClientTrafficPlan {
  const { targetRef, targetRefs: _, targetSelectors: __, ...own } = policy.spec;
  const { spec, refused, warnings } = expandShorthands<ClientTrafficSettings>("ClientTrafficPolicy", own);
  const faults = [
    ...findSelectorFaults(policy),
    ...refused,
    ...findUnservedFields("ClientTrafficPolicy", spec).map((field) => ({
      field: `spec.${field}`,
      text: "is not implemented in this version; remove it",
    })),
  ];
  const deprecated: PolicyFinding[] =
    targetRef === undefined
      ? []
      : [{ field: "spec.targetRef", text: "is deprecated; write spec.targetRefs instead", reason: "DeprecatedField" }];
  return {
    ...(faults.length === 0 && { settings: spec }),
    refused: faults,
    warnings: [...deprecated, ...warnings],
  };
}
