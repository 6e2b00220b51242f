import { readFileSync } from "node:fs";
import type { World } from "./world.ts";

/** What a new user applies, as the README says. */
const sample = readFileSync(new URL("../../config/samples/cluster/quickstart.yaml", import.meta.url), "utf8");

export interface QuickstartFigures {
  /** From `kubectl apply -k config/default` on an empty cluster to the first 200 through the Gateway. */
  readonly firstAnswerMs: number;
  /** Of these, until kubectl had applied everything. */
  readonly appliedMs: number;
}

/**
 * Installs Gatehouse and the sample into a cluster that has the Gateway API's kinds, and asks until there is an answer.
 *
 * @throws Error when there is none within the limit
 */
export async function measureQuickstart(world: World, limitMs: number): Promise<QuickstartFigures> {
  const start = performance.now();
  await world.install("config/default");
  await world.apply(sample);
  const appliedMs = performance.now() - start;
  await world.untilServed("quickstart", "/", limitMs);
  return { firstAnswerMs: performance.now() - start, appliedMs };
}
