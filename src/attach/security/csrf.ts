import type { SecurityGroup } from "./model.ts";

export interface CsrfModel {
  /** Beside the request's own host; written as in CORS. */
  readonly additionalOrigins: readonly string[];
  /** Part of the requests that are refused when they come from elsewhere, in millionths; the others are counted only. */
  readonly enforcedMillionths: number;
}

const MILLION = 1_000_000;
const HUNDRED = 100;

export const csrf: SecurityGroup<"csrf"> = {
  name: "csrf",
  plan({ additionalOrigins = [], shadowFraction }) {
    const { numerator = 0, denominator = HUNDRED } = shadowFraction ?? {};
    const enforcedMillionths = MILLION - Math.round((numerator / denominator) * MILLION);
    return { csrf: { additionalOrigins, enforcedMillionths } };
  },
};
