import type { HTTPRouteFilter } from "../api/gateway-api.ts";
import type { ClusterSpec, ResolvedExtension } from "./model.ts";
import { findExtension } from "./resolve-extension.ts";
import type { RouteContext } from "./route-context.ts";
import type { RuleFault } from "./rule-matches.ts";

/** A HTTPRouteFilter that cannot be used as it is. */
export interface ExtensionProblem extends RuleFault {
  readonly reason: string;
  /** The matches that it adds cannot be given to Envoy, so that nothing can be said for them. */
  readonly unmatchable: boolean;
}

export interface RuleExtensions {
  readonly extensions: readonly ResolvedExtension[];
  readonly credential?: ClusterSpec["credential"];
  readonly faults: readonly ExtensionProblem[];
}

/** Follows the ExtensionRef filters of a rule or of a backendRef. Fields of faults are relative to it. */
export function resolveExtensions(
  context: RouteContext,
  filters: readonly HTTPRouteFilter[] | undefined,
): RuleExtensions {
  const extensions: ResolvedExtension[] = [];
  const faults: ExtensionProblem[] = [];
  let credential: ClusterSpec["credential"];
  for (const [index, { type, extensionRef }] of (filters ?? []).entries()) {
    if (type !== "ExtensionRef" || extensionRef === undefined) continue;
    const found = findExtension(context.namespace, extensionRef, index, context.read);
    const fail = (reason: string, message: string, unmatchable = false) =>
      faults.push({ field: `filters[${index}].extensionRef`, reason, message, unmatchable });
    if ("unmatchable" in found) {
      fail("UnsupportedValue", found.unmatchable, true);
    } else if ("reason" in found) {
      fail(found.reason, found.message);
      // Its matches narrow what the rule fails on.
      if (found.extension !== undefined) extensions.push(found.extension);
    } else {
      extensions.push(found.extension);
      if (credential !== undefined && found.credential !== undefined) {
        fail("UnsupportedValue", "injects a second credential; keep one such filter");
      }
      credential = found.credential ?? credential;
    }
  }
  return { extensions, faults, ...(credential && { credential }) };
}

/**
 * What of the HTTPRouteFilters of a backendRef cannot apply to one of several backends.
 * @param only the rule has no other backendRef, so that what Envoy does for a whole route does as well
 */
export function findMisplaced(extensions: readonly ResolvedExtension[], only: boolean): RuleFault | undefined {
  for (const { filterIndex, filter } of extensions) {
    const misplaced = [
      filter.directResponse !== undefined && "a directResponse",
      filter.matches !== undefined && "matches",
      filter.urlRewrite?.path !== undefined && "urlRewrite.path",
      filter.urlRewrite?.hostname !== undefined && !only && "urlRewrite.hostname",
    ].find((each) => each !== false);
    if (misplaced === undefined) continue;
    const message = `names an HTTPRouteFilter with ${misplaced}, which works on a rule but not on a backendRef; move it to the rule`;
    return { field: `filters[${filterIndex}].extensionRef`, message };
  }
  return undefined;
}
