import type { Settings } from "../../src/attach/model.ts";
import { type ResourceType, resourceTypes } from "../../src/envoy/resource.ts";

/** A document `kind: Scenario` of a case: the world around the objects, where it differs from the ordinary one. */
export interface Scenario {
  readonly settings?: Partial<Settings>;
  /** False: objects are taken as an API server with older schemas would have let them through. */
  readonly validated?: boolean;
  /** Bundle versions of the installed Gateway API. */
  readonly installedApi?: readonly string[];
  /** Envoys of each Gateway; default 1. */
  readonly connected?: 0 | 1;
  /** Addresses of each Gateway; default 127.0.0.1. */
  readonly addresses?: readonly string[];
  /** What Envoy refuses: every version of a resource of this type whose JSON holds the text. */
  readonly refused?: readonly { readonly type: string; readonly text: string; readonly error: string }[];
  /** What Envoy does not answer, chosen in the same way. */
  readonly unanswered?: readonly { readonly type: string; readonly text: string }[];
}

export const ordinarySettings: Settings = {
  controllerNames: ["gatehouse.dev/gateway-controller"],
  hostInfrastructure: true,
  privilegedPortOffset: 10000,
};

/** Envoy's answer to a resource; undefined: none. */
export function answerOf(
  scenario: Scenario,
  type: ResourceType,
  json: string,
): { readonly accepted: true } | { readonly accepted: false; readonly error: string } | undefined {
  const isMeant = (meant: { readonly type: string; readonly text: string }) =>
    resourceTypes[meant.type as keyof typeof resourceTypes] === type && json.includes(meant.text);
  if (scenario.unanswered?.some(isMeant)) return undefined;
  const refusal = scenario.refused?.find(isMeant);
  return refusal === undefined ? { accepted: true } : { accepted: false, error: refusal.error };
}
