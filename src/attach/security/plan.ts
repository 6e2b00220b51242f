import type { SecurityPolicy } from "../../api/securitypolicy.ts";
import { objectKey } from "../../base/keys.ts";
import { sortKeys } from "../connection-settings.ts";
import { type MergeType, mergeObjects } from "../object-merge.ts";
import { findSelectorFaults } from "../policy-claims.ts";
import { refuseUnserved, warnOfDeprecated } from "../policy-fields.ts";
import type { PolicyFinding } from "../policy-model.ts";
import { expandShorthands } from "../policy-shorthands.ts";
import type { ResolveReader } from "../resolve-reader.ts";
import { findUnseen } from "./authorization.ts";
import { followReferences, planGroups } from "./groups.ts";
import type { Security, SecurityModel, SecurityPlan, SecuritySettings, WrittenSecurity } from "./model.ts";

/** What a SecurityPolicy comes to by itself, wherever it is attached. */
export function planSecurity(policy: SecurityPolicy, read: ResolveReader): SecurityPlan {
  const { targetRef, targetRefs = [], targetSelectors = [], mergeType: _, ...fields } = policy.spec;
  const { spec: written, refused, warnings } = expandShorthands<WrittenSecurity>("SecurityPolicy", fields);
  const namespace = policy.metadata.namespace ?? "";
  const targets = [...(targetRef ? [targetRef] : []), ...targetRefs, ...targetSelectors];
  const namesConnections = targets.some(({ kind }) => kind === "TCPRoute");
  const faults = [
    ...findSelectorFaults("SecurityPolicy", policy),
    ...refused,
    ...judgeFields(written, namesConnections),
  ];
  return {
    ...planSettings(
      followReferences(written, { namespace, policy: objectKey(namespace, policy.metadata.name), read }),
      {
        faults,
        namesConnections,
      },
    ),
    warnings: [...(targetRef ? [warnOfDeprecated("targetRef", "targetRefs")] : []), ...warnings],
  };
}

/**
 * The policy of a route over the one of its listener: a reference that the route's own takes the place of harms nobody any more. What
 * the policies are told of is told of each of them alone.
 */
export function mergeSecurity(
  child: SecurityPlan,
  parent: SecurityPlan,
  mergeType: MergeType,
): Omit<SecurityPlan, "warnings"> {
  const merged = mergeObjects(parent.settings, child.settings, mergeType) as SecuritySettings;
  const { namesConnections } = child;
  return planSettings(merged, { faults: [...child.faults, ...parent.faults], namesConnections });
}

function planSettings(
  settings: SecuritySettings,
  { faults, namesConnections }: Pick<SecurityPlan, "faults" | "namesConnections">,
): Omit<SecurityPlan, "warnings"> {
  const { model, faults: ofGroups } = planGroups(settings);
  const { authorization } = settings;
  const unseen = authorization === undefined ? [] : findUnseen(authorization);
  const refused = [...faults, ...ofGroups, ...(namesConnections ? unseen : [])];
  const forConnections = namesConnections || authorization !== undefined;
  const security: Security =
    refused.length > 0
      ? { refused: true, ...(forConnections && { connectionsRefused: true }) }
      : {
          ...(Object.keys(model).length > 0 && { model: sortKeys(model) as SecurityModel }),
          ...(unseen.length > 0 && { connectionsRefused: true }),
          ...(model.authorization && unseen.length === 0 && { connections: model.authorization }),
        };
  return { settings, security, faults, namesConnections, refused };
}

/**
 * Fields that cannot be served. Connections show addresses and nothing else, so a policy that names a TCPRoute cannot have what is
 * about requests.
 */
function judgeFields(written: WrittenSecurity, namesConnections: boolean): readonly PolicyFinding[] {
  const { authorization, ...ofRequests } = written;
  const judged = namesConnections ? { ...(authorization && { authorization }) } : written;
  const unserved = refuseUnserved("SecurityPolicy", judged);
  if (!namesConnections) return unserved;
  const misplaced = Object.keys(ofRequests).map((group) => ({
    field: `spec.${group}`,
    text: "is about requests, and a TCPRoute carries connections that nobody looks into; remove it, or attach the policy to HTTPRoutes and GRPCRoutes alone",
  }));
  return [...unserved, ...misplaced];
}
