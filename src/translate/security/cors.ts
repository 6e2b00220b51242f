import type { SecurityModel } from "../../attach/security/model.ts";
import type { Any } from "../../envoy/any.ts";
import { parseDuration } from "../duration.ts";
import { buildCorsPolicy } from "../filters/cors.ts";
import { httpFilterNames } from "../http-filters.ts";

const MILLISECONDS_PER_SECOND = 1000;

/** Answers a preflight itself, before anything asks for credentials, which browsers never send with it. */
export function configureCors({ cors }: SecurityModel): readonly [filter: string, config: Any] | undefined {
  if (cors === undefined) return undefined;
  const { maxAge, ...rest } = cors;
  const age = parseDuration(maxAge);
  const maxAgeSeconds = age === undefined ? undefined : Math.floor(age / MILLISECONDS_PER_SECOND);
  return [httpFilterNames.cors, buildCorsPolicy({ ...rest, maxAgeSeconds })];
}
