import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import {
  type ConformanceReport,
  readReports,
  renderTable,
  replaceTable,
} from "../../tools/generate-conformance-table.ts";

const report = (channel: string, failed: number): ConformanceReport => ({
  date: "2026-12-01T00:00:00Z",
  gatewayAPIVersion: "v1.6.3",
  gatewayAPIChannel: channel,
  implementation: { version: "v0.1.0" },
  profiles: [
    { name: "GATEWAY-UDP", core: { statistics: { Passed: 19, Skipped: 0, Failed: 0 } } },
    {
      name: "GATEWAY-HTTP",
      core: { statistics: { Passed: 37 - failed, Skipped: 0, Failed: failed } },
      extended: {
        statistics: { Passed: 57, Skipped: 1, Failed: 0 },
        supportedFeatures: ["A", "B"],
        unsupportedFeatures: ["C"],
      },
    },
  ],
});

test("the README's table is made from the reports", () => {
  const readme = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
  expect(replaceTable(readme, renderTable(readReports()))).toBe(readme);
});

test("a report becomes a row a profile, and tells what failed", () => {
  expect(renderTable([report("experimental", 0), report("standard", 2)]).split("\n")).toEqual([
    "| profile | channel | core tests | extended features | their tests |",
    "| --- | --- | --- | --- | --- |",
    "| GATEWAY-HTTP | experimental | 37 passed | 2 of 3 | 57 passed, 1 skipped |",
    "| GATEWAY-UDP | experimental | 19 passed | none |  |",
    "| GATEWAY-HTTP | standard | 35 passed, **2 failed** | 2 of 3 | 57 passed, 1 skipped |",
    "| GATEWAY-UDP | standard | 19 passed | none |  |",
    "",
    "experimental: Gatehouse v0.1.0 on 2026-12-01, suite v1.6.3; standard: Gatehouse v0.1.0 on 2026-12-01, suite v1.6.3.",
  ]);
  expect(renderTable([])).toBe("No report has been published yet.");
});

test("the table takes the place of the one before, and nothing else", () => {
  const text = replaceTable(readFileSync(join(import.meta.dirname, "../../README.md"), "utf8"), "first");
  expect(replaceTable(text, "second")).toBe(text.replace("\nfirst\n", "\nsecond\n"));
  expect(() => replaceTable("# Nothing", "x")).toThrow("README.md has no");
});
