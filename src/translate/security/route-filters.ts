import type { SecurityModel } from "../../attach/security/model.ts";
import type { Any } from "../../envoy/any.ts";
import { configureApiKeyAuth } from "./api-key-auth.ts";
import { configureAuthorization } from "./authorization.ts";
import { configureBasicAuth } from "./basic-auth.ts";
import { configureCors } from "./cors.ts";
import { configureCsrf } from "./csrf.ts";
import { configureExtAuth } from "./ext-auth.ts";
import { configureJwt } from "./jwt.ts";
import { configureOidc } from "./oidc.ts";

/** What a group puts into the `typedPerFilterConfig` of a rule's routes; undefined: the policy has none of it. */
type GroupFilter = (security: SecurityModel) => readonly [filter: string, config: Any] | undefined;

/** One for each group, each in a file of its own. Their order is of no meaning: filters stand as the listener has them. */
const groupFilters: readonly GroupFilter[] = [
  configureCors,
  configureCsrf,
  configureBasicAuth,
  configureApiKeyAuth,
  configureJwt,
  configureOidc,
  configureExtAuth,
  configureAuthorization,
];

/** Turns on the listener's filters for what a SecurityPolicy says of a route, and gives them what they need to know. */
export function configureSecurityFilters(security: SecurityModel): (readonly [filter: string, config: Any])[] {
  return groupFilters.flatMap((configure) => {
    const entry = configure(security);
    return entry === undefined ? [] : [entry];
  });
}
