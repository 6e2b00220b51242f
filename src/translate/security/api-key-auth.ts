import type { SecurityModel } from "../../attach/security/model.ts";
import { type Any, pack } from "../../envoy/any.ts";
import { ApiKeyAuthPerRoute } from "../../envoy/generated/envoy/extensions/filters/http/api_key_auth/v3/api_key_auth.ts";
import { securityFilterNames } from "./filters.ts";

export function configureApiKeyAuth({ apiKeyAuth }: SecurityModel): readonly [filter: string, config: Any] | undefined {
  if (apiKeyAuth === undefined) return undefined;
  const { keys, places, clientHeader, hidesKey } = apiKeyAuth;
  const config: ApiKeyAuthPerRoute = {
    credentials: [...keys],
    keySources: [...places],
    forwarding: {
      ...(clientHeader !== undefined && { header: clientHeader }),
      ...(hidesKey && { hideCredentials: true }),
    },
  };
  return [securityFilterNames.apiKeyAuth, pack(ApiKeyAuthPerRoute, config)];
}
