import type { SecurityModel } from "../../attach/security/model.ts";
import { type Any, pack } from "../../envoy/any.ts";
import { BasicAuth } from "../../envoy/generated/envoy/extensions/filters/http/basic_auth/v3/basic_auth.ts";
import { runFilter } from "../whole-filter.ts";
import { securityFilterNames } from "./filters.ts";

/** Envoy takes users of routes, but the header that tells who it is only of listeners. */
export function configureBasicAuth({ basicAuth }: SecurityModel): readonly [filter: string, config: Any] | undefined {
  if (basicAuth === undefined) return undefined;
  const { users, userHeader } = basicAuth;
  const name = securityFilterNames.basicAuth;
  const filter: BasicAuth = {
    users: { inlineString: users },
    ...(userHeader !== undefined && { forwardUsernameHeader: userHeader }),
  };
  return [name, runFilter(name, pack(BasicAuth, filter))];
}
