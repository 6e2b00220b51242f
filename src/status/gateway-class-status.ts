import { noProblems, type Problem } from "../base/problems.ts";
import type { InstalledApi } from "../pipeline/sources.ts";
import type { GatewayClassReport } from "../pipeline/status-reports.ts";
import { type DesiredCondition, judge } from "./conditions.ts";
import { featuresOf } from "./supported-features.ts";

export interface GatewayClassStatus {
  readonly conditions: readonly DesiredCondition[];
  /** Absent where GatewayClasses have no room for it. */
  readonly supportedFeatures?: readonly { readonly name: string }[];
}

/** The minor version of Gateway API whose types are built in and whose conformance suite is run. */
const SUPPORTED_VERSION = "v1.6";

/** The whole status of a GatewayClass. */
export function buildGatewayClassStatus({ object, plan, installedApi }: GatewayClassReport): GatewayClassStatus {
  const { generation } = object.metadata;
  const accepted = { reason: "Accepted", message: "The class is served by this controller" };
  const supported = { reason: "SupportedVersion", message: `Objects are read as Gateway API ${SUPPORTED_VERSION}` };
  return {
    conditions: [
      judge("Accepted", plan.problems, accepted, generation),
      judge("SupportedVersion", findVersionProblems(installedApi), supported, generation),
    ],
    ...(!installedApi?.withoutFeatures && { supportedFeatures: featuresOf(installedApi).map((name) => ({ name })) }),
  };
}

/** Gateway API, GatewayClassConditionStatusSupportedVersion: other versions are served as well as possible, and told. */
function findVersionProblems(installed: InstalledApi | undefined): readonly Problem[] {
  const others = (installed?.bundleVersions ?? []).filter((version) => !version.startsWith(`${SUPPORTED_VERSION}.`));
  if (others.length === 0) return noProblems;
  const found = others.map((version) => (version === "" ? "no stated version" : `version ${version}`)).join(" and ");
  const message = `Installed CustomResourceDefinitions of Gateway API are of ${found}, which is served as far as it is like ${SUPPORTED_VERSION}; install ${SUPPORTED_VERSION}`;
  return [{ condition: "SupportedVersion", reason: "UnsupportedVersion", message }];
}
