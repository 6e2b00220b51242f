import type { PolicyFinding } from "../policy-model.ts";
import { apiKeyAuth } from "./api-key-auth.ts";
import { authorization } from "./authorization.ts";
import { basicAuth } from "./basic-auth.ts";
import { cors } from "./cors.ts";
import { csrf } from "./csrf.ts";
import { extAuth } from "./ext-auth.ts";
import { jwt } from "./jwt.ts";
import type {
  FollowContext,
  ReportFault,
  SecurityGroup,
  SecurityGroupName,
  SecurityModel,
  SecuritySettings,
  WrittenSecurity,
} from "./model.ts";
import { oidc } from "./oidc.ts";

type AnyGroup = { readonly [Name in SecurityGroupName]: SecurityGroup<Name> }[SecurityGroupName];

/** The groups that are served. What each of them serves is listed in `servedFields`. */
const groups: readonly AnyGroup[] = [cors, csrf, basicAuth, apiKeyAuth, jwt, extAuth, authorization, oidc];

/** The settings with the references of all groups followed. */
export function followReferences(written: WrittenSecurity, context: FollowContext): SecuritySettings {
  const result: Record<string, unknown> = { ...written };
  for (const group of groups as readonly SecurityGroup<SecurityGroupName>[]) {
    const own = written[group.name];
    if (own !== undefined && group.follow) result[group.name] = group.follow(own, context);
  }
  return result;
}

/** What all groups mean, and what is wrong with them. */
export function planGroups(settings: SecuritySettings): {
  readonly model: SecurityModel;
  readonly faults: readonly PolicyFinding[];
} {
  const faults: PolicyFinding[] = [];
  let model: SecurityModel = {};
  for (const group of groups as readonly SecurityGroup<SecurityGroupName>[]) {
    const own = settings[group.name];
    if (own === undefined) continue;
    const report: ReportFault = (field, text) =>
      faults.push({ field: `spec.${group.name}${field === "" ? "" : `.${field}`}`, text });
    const planned = group.plan(own, report, settings);
    const servers = { ...model.servers, ...planned.servers };
    model = { ...model, ...planned, ...(Object.keys(servers).length > 0 && { servers }) };
  }
  return { model, faults };
}
