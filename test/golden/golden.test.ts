import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { stringify } from "yaml";
import type { ObjectStatus } from "../../src/status/render.ts";
import { runCase } from "./run-case.ts";

/**
 * `NAME.in.yaml` → `NAME.out.yaml`: problems of validation, statuses, infrastructure and xDS of a set of objects. A document
 * `kind: Scenario` says what Envoy refuses and how else the world is not the ordinary one (`scenario.ts`).
 * `UPDATE_GOLDEN=1 make test` rewrites the outputs: read the difference before you commit it.
 */
const folder = join(import.meta.dirname, "cases");
const cases = readdirSync(folder).filter((file) => file.endsWith(".in.yaml"));

test.each(cases)("%s", (file) => {
  const { invalid, statuses, ...rest } = runCase(readFileSync(join(folder, file), "utf8"));
  const output = stringify(
    {
      invalid,
      statuses: Object.fromEntries(Object.entries(statuses).map(([key, status]) => [key, withoutFeatures(status)])),
      ...rest,
    },
    {
      lineWidth: 120,
      aliasDuplicateObjects: false,
    },
  );
  const expected = join(folder, file.replace(".in.yaml", ".out.yaml"));
  if (process.env["UPDATE_GOLDEN"]) writeFileSync(expected, output);
  expect(output).toBe(readFileSync(expected, "utf8"));
  expect([...unprinted(rest.resources)]).toEqual([]);
});

/** Types of messages that stand as bytes, since `src/envoy/json.ts` does not know them: Envoy reads no such file. */
function* unprinted(value: unknown): Generator<string> {
  if (typeof value !== "object" || value === null) return;
  const type: unknown = (value as Record<string, unknown>)["@type"];
  const isBytes = Object.keys(value).join() === "@type,value" && typeof Object.values(value)[1] === "string";
  if (isBytes) yield String(type);
  for (const inner of Object.values(value)) yield* unprinted(inner);
}

/** The same list in every case, and another one with each feature: `src/status/supported-features.test.ts` looks at it. */
function withoutFeatures(status: ObjectStatus): object {
  return "supportedFeatures" in status ? { ...status, supportedFeatures: "as installed" } : status;
}
