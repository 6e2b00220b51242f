import { findTokenFault } from "../header-syntax.ts";
import type { ReportFault, SecurityGroup, SecuritySettings } from "./model.ts";

/** As Envoy answers for it. */
export interface CorsModel {
  /** `*` stands for any characters of a host; alone, for any origin. */
  readonly allowOrigins: readonly string[];
  /** `*` among them: any. */
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly allowCredentials: boolean;
  /** Text of a duration; undefined: browsers are told nothing. */
  readonly maxAge?: string;
}

export const cors: SecurityGroup<"cors"> = {
  name: "cors",
  plan(settings, report) {
    judgeNames(settings, report);
    const { allowOrigins = [], allowMethods = [], allowHeaders = [], exposeHeaders = [] } = settings;
    const { allowCredentials = false, maxAge } = settings;
    const names = { allowOrigins, allowMethods, allowHeaders, exposeHeaders };
    return { cors: { ...names, allowCredentials, ...(maxAge !== undefined && { maxAge }) } };
  },
};

/** The wildcard has the syntax of a name, too. */
function judgeNames(settings: NonNullable<SecuritySettings["cors"]>, report: ReportFault): void {
  for (const field of ["allowMethods", "allowHeaders", "exposeHeaders"] as const) {
    for (const [index, name] of (settings[field] ?? []).entries()) {
      const fault = findTokenFault(name, field === "allowMethods" ? "method" : "header name");
      if (fault !== undefined) report(`${field}[${index}]`, fault);
    }
  }
}
