import { pack } from "../../envoy/any.ts";
import { ApiKeyAuth } from "../../envoy/generated/envoy/extensions/filters/http/api_key_auth/v3/api_key_auth.ts";
import { CsrfPolicy } from "../../envoy/generated/envoy/extensions/filters/http/csrf/v3/csrf.ts";
import { RBAC } from "../../envoy/generated/envoy/extensions/filters/http/rbac/v3/rbac.ts";
import type { HttpFilter } from "../../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { placeFor } from "../whole-filter.ts";

/** Filters that SecurityPolicies turn on for routes, beside that of CORS. */
export const securityFilterNames = {
  csrf: "envoy.filters.http.csrf",
  extAuth: "envoy.filters.http.ext_authz",
  apiKeyAuth: "envoy.filters.http.api_key_auth",
  basicAuth: "envoy.filters.http.basic_auth",
  oidc: "envoy.filters.http.oauth2",
  jwt: "envoy.filters.http.jwt_authn",
  authorization: "envoy.filters.http.rbac",
} as const;

/** Disabled, as they stand in every listener, whichever of them a version serves: a changed chain drains connections. */
export const securityFilters: readonly HttpFilter[] = [
  {
    name: securityFilterNames.csrf,
    typedConfig: pack(CsrfPolicy, { filterEnabled: { defaultValue: {} } }),
    disabled: true,
  },
  placeFor(securityFilterNames.extAuth),
  { name: securityFilterNames.apiKeyAuth, typedConfig: pack(ApiKeyAuth, {}), disabled: true },
  placeFor(securityFilterNames.basicAuth),
  placeFor(securityFilterNames.oidc),
  placeFor(securityFilterNames.jwt),
  { name: securityFilterNames.authorization, typedConfig: pack(RBAC, {}), disabled: true },
];
