import { test } from "@jest/globals";
import fc from "fast-check";
import { runBudget, simulation } from "./simulation.test-support.ts";

test("any history of edits leaves what the model and a fresh graph have, with exactly the runs that were due", () => {
  fc.assert(simulation, { numRuns: runBudget });
}, 60_000);
