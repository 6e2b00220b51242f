import { expect } from "@jest/globals";
import type { Problem } from "../base/problems.ts";
import type { DesiredCondition } from "./conditions.ts";

export const settings = { controllerNames: ["example.com/ours"], hostInfrastructure: true, privilegedPortOffset: 0 };
export const GENERATION = 7;

/** `Type=Status/Reason`, the way tests compare conditions. */
export function short(conditions: readonly DesiredCondition[]): string[] {
  for (const { observedGeneration } of conditions) expect(observedGeneration).toBe(GENERATION);
  return conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`);
}

export const some = (condition: string, reason: string, message = "because"): Problem => ({
  condition,
  reason,
  message,
});
