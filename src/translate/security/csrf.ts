import type { SecurityModel } from "../../attach/security/model.ts";
import { type Any, pack } from "../../envoy/any.ts";
import { CsrfPolicy } from "../../envoy/generated/envoy/extensions/filters/http/csrf/v3/csrf.ts";
import { FractionalPercent_DenominatorType } from "../../envoy/generated/envoy/type/v3/percent.ts";
import { matchHost } from "../filters/origins.ts";
import { securityFilterNames } from "./filters.ts";

const MILLION = 1_000_000;

/**
 * Envoy throws dice for each of its two fractions by itself, and a request that neither takes is not looked at. So those that are not
 * refused are all looked at.
 */
export function configureCsrf({ csrf }: SecurityModel): readonly [filter: string, config: Any] | undefined {
  if (csrf === undefined) return undefined;
  const { additionalOrigins, enforcedMillionths } = csrf;
  const denominator = FractionalPercent_DenominatorType.MILLION;
  const policy: CsrfPolicy = {
    filterEnabled: { defaultValue: { numerator: enforcedMillionths, denominator } },
    ...(enforcedMillionths < MILLION && { shadowEnabled: { defaultValue: { numerator: MILLION, denominator } } }),
    additionalOrigins: additionalOrigins.map(matchHost),
  };
  return [securityFilterNames.csrf, pack(CsrfPolicy, policy)];
}
