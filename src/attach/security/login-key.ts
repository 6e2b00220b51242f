import { contentHash } from "../../envoy/hash.ts";
import type { SecretUse } from "../cluster-spec.ts";

/**
 * The key by which Envoy knows the cookies that it gave to those who have logged in. Each policy and client has its own, made of that of this
 * installation: whoever logs in by one policy must not pass another with the same cookies under other names.
 *
 * @param identity policy, provider and client
 */
export function nameLoginKey(identity: readonly string[]): SecretUse {
  const key = JSON.stringify(identity);
  return { name: `oidc-key/${contentHash(key)}`, use: "loginKey", source: "settings", key };
}
