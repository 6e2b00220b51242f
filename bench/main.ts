import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, platform, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { locateEnvoy } from "../src/infra/envoy-binary.ts";
import { runApiServerAwayScenario } from "./api-server-away-scenario.ts";
import { runClusterEditScenario } from "./cluster-edit-scenario.ts";
import { runClusterPolicyScenario } from "./cluster-policy-scenario.ts";
import { runDisabledFiltersScenario } from "./disabled-filters-scenario.ts";
import { runEditScenario } from "./edit-scenario.ts";
import { runEngineScenario } from "./engine-scenario.ts";
import { runFirstStatusesScenario } from "./first-statuses-scenario.ts";
import { runLookupScenario } from "./lookup-scenario.ts";
import { runOperatorRestartScenario } from "./operator-restart-scenario.ts";
import { runPolicyScenario } from "./policy-scenario.ts";
import { runQuickstartScenario } from "./quickstart-scenario.ts";
import { createRecorder, formatTables, missedGoals, progress, type Row, writeResults } from "./results.ts";
import { runTenantsScenario } from "./tenants-scenario.ts";

const resultsPath = fileURLToPath(new URL("./results.json", import.meta.url));

/** Edits of each kind in the end-to-end scenarios, and in the engine alone, where one takes no time. */
const EDITS = 25;
const EDITS_QUICK = 5;
/** Tenants added, changed and removed. */
const TENANT_CHANGES = 10;
const TENANT_CHANGES_QUICK = 3;
const ENGINE_EDITS = 100;
const ENGINE_EDITS_QUICK = 20;

const scenarioNames = [
  "engine",
  "edit-hosts",
  "edit-paths",
  "policies",
  "disabled-filters",
  "one-host",
  "own-hosts",
  "cluster-edit-hosts",
  "cluster-edit-paths",
  "cluster-policies",
  "first-statuses",
  "operator-restart",
  "api-server-away",
  "quickstart",
  "tenants",
  "tenants-listener-sets",
] as const;
type ScenarioName = (typeof scenarioNames)[number];

const defaultSizes: Readonly<Record<ScenarioName, readonly number[]>> = {
  engine: [1_000, 10_000, 20_000],
  "edit-hosts": [100, 1_000, 10_000],
  "edit-paths": [100, 1_000, 10_000],
  policies: [1_000, 10_000],
  "disabled-filters": [1],
  "one-host": [1, 100, 1_000, 10_000],
  "own-hosts": [1_000, 1_600, 10_000],
  "cluster-edit-hosts": [1_000, 10_000],
  "cluster-edit-paths": [1_000, 10_000],
  "cluster-policies": [10_000],
  "first-statuses": [10_000],
  "operator-restart": [10_000],
  "api-server-away": [1_000],
  quickstart: [1],
  tenants: [10, 50, 100, 200],
  "tenants-listener-sets": [200],
};

interface Arguments {
  readonly scenario: readonly ScenarioName[];
  readonly sizes?: readonly number[];
  readonly quick: boolean;
  readonly output: string;
}

async function runBench({ scenario, sizes, quick, output }: Arguments): Promise<void> {
  const rows: Row[] = [];
  const results = { machine: describeMachine(), versions: await describeVersions(), rows };
  for (const name of scenario) {
    for (const n of sizes ?? defaultSizes[name]) {
      await runScenario(name, n, quick, rows);
      // After each, so that a run that is cut short leaves what it has.
      writeResults(output, results);
    }
  }
  console.log(formatTables(rows));
  const missed = missedGoals(rows);
  console.log(missed.length === 0 ? "\nEvery goal is reached." : `\nMissed (marked "!"):\n  ${missed.join("\n  ")}`);
  progress(`results are in ${output}`);
}

function runScenario(name: ScenarioName, n: number, quick: boolean, rows: Row[]): Promise<void> {
  const recorder = createRecorder(rows, name, n);
  const edits = quick ? EDITS_QUICK : EDITS;
  switch (name) {
    case "engine":
      return runEngineScenario(n, quick ? ENGINE_EDITS_QUICK : ENGINE_EDITS, recorder);
    case "edit-hosts":
      return runEditScenario({ shape: "hosts", routes: n, edits }, recorder);
    case "edit-paths":
      return runEditScenario({ shape: "paths", routes: n, edits }, recorder);
    case "disabled-filters":
      return runDisabledFiltersScenario(recorder);
    case "policies":
      return runPolicyScenario({ shape: "hosts", routes: n, edits }, recorder);
    case "cluster-edit-hosts":
      return runClusterEditScenario({ shape: "hosts", routes: n, edits }, recorder);
    case "cluster-edit-paths":
      return runClusterEditScenario({ shape: "paths", routes: n, edits }, recorder);
    case "cluster-policies":
      return runClusterPolicyScenario({ shape: "hosts", routes: n, edits }, recorder);
    case "first-statuses":
      return runFirstStatusesScenario(n, recorder);
    case "operator-restart":
      return runOperatorRestartScenario(n, recorder);
    case "api-server-away":
      return runApiServerAwayScenario(n, recorder);
    case "quickstart":
      return runQuickstartScenario(recorder);
    case "tenants":
      return runTenantsScenario("Gateway", n, quick ? TENANT_CHANGES_QUICK : TENANT_CHANGES, recorder);
    case "tenants-listener-sets":
      return runTenantsScenario("ListenerSet", n, quick ? TENANT_CHANGES_QUICK : TENANT_CHANGES, recorder);
    case "one-host":
    case "own-hosts":
      return runLookupScenario(name, n, recorder);
  }
}

function describeMachine(): Record<string, string | number> {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memory_gb: Math.round(totalmem() / 1e9),
    system: `${platform()} ${release()}`,
  };
}

async function describeVersions(): Promise<Record<string, string>> {
  const packageJson = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const envoy = execFileSync(await locateEnvoy(), ["--version"], { encoding: "utf8" });
  return {
    gatehouse: packageJson.version,
    node: process.version,
    envoy: /\/(\d+\.\d+\.\d+[^/]*)\//.exec(envoy)?.[1] ?? envoy.trim(),
  };
}

function parseScenarios(text: string): ScenarioName[] {
  return text.split(",").map((name) => {
    if (!scenarioNames.includes(name as ScenarioName)) {
      throw new InvalidArgumentError(`there is no scenario "${name}"; there are ${scenarioNames.join(", ")}`);
    }
    return name as ScenarioName;
  });
}

function parseSizes(text: string): number[] {
  return text.split(",").map((size) => {
    if (!/^[1-9]\d*$/.test(size)) throw new InvalidArgumentError(`"${size}" is not a number of routes or tenants`);
    return Number(size);
  });
}

await new Command("bench")
  .description("Measures Gatehouse and the Envoy that it programs; prints a table and writes bench/results.json")
  .option("--scenario <names>", `comma-separated: ${scenarioNames.join(", ")}`, parseScenarios, [...scenarioNames])
  .option(
    "--sizes <numbers>",
    "numbers of routes or tenants, comma-separated; default: each scenario's own",
    parseSizes,
  )
  .option("--quick", "fewer edits: minutes instead of a quarter of an hour", false)
  .option("--output <file>", "where the results go", resultsPath)
  .action(runBench)
  .parseAsync();
