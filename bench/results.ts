import { writeFileSync } from "node:fs";
import { median, percentile } from "../test/harness/percentile.ts";

export type Unit = "ms" | "MB" | "bytes" | "count" | "ratio" | "per_second" | "us";

/** One figure. `n` is the number of routes, or of tenants. */
export interface Row {
  readonly scenario: string;
  readonly n: number;
  readonly metric: string;
  readonly unit: Unit;
  readonly value: number;
}

export interface Results {
  readonly machine: Readonly<Record<string, string | number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

/** A goal that the table marks as reached or missed: a metric of a scenario, for a range of sizes. */
export interface Goal {
  readonly scenario: RegExp;
  readonly metric: string;
  /** Holds for this many routes or tenants and fewer, */
  readonly routesMax: number;
  /** and for this many and more. */
  readonly routesMin: number;
  readonly atMost: number;
}

const goal = (scenario: RegExp, metric: string, atMost: number): Goal => ({
  scenario,
  metric,
  routesMax: 10_000,
  routesMin: 0,
  atMost,
});
const anyEdit = /^(cluster-)?edit-/;
const standalone = /^edit-/;
const cluster = /^cluster-edit-/;
const hosts = /^(cluster-)?edit-hosts$/;
const policies = /^(cluster-)?policies$/;
const tenants = /^tenants(-listener-sets)?$/;

/** What the project promises for 10,000 routes on two cores, in the units of the rows. */
export const goals: readonly Goal[] = [
  goal(anyEdit, "control_plane_cpu_per_edit", 40),
  goal(anyEdit, "failed_requests", 0),
  // Of a small table the floor is 2 ms, which the way of a file adds to.
  { ...goal(/^edit-paths$/, "ratio", 1.3), routesMin: 10_000 },
  goal(standalone, "control_plane_cpu_per_endpoint_edit", 2),
  goal(standalone, "control_plane_rss", 300),
  goal(standalone, "cold_start", 15_000),
  goal(standalone, "resources_resent", 0),
  ...["add", "update", "endpoint", "delete"].map((kind) => goal(cluster, `beyond_floor_${kind}`, 20)),
  // In buckets, where the floor is a few milliseconds.
  ...["add", "update", "delete"].flatMap((kind) => [
    { ...goal(hosts, `${kind}_p50`, 30), routesMax: 20_000, routesMin: 10_000 },
    { ...goal(hosts, `${kind}_p99`, 100), routesMax: 20_000, routesMin: 10_000 },
  ]),
  { ...goal(hosts, "envoy_cpu_per_edit", 15), routesMax: 20_000, routesMin: 10_000 },
  // Of a small table a cluster more is a part of what an edit takes.
  ...["policy_of_requests", "policy_of_clusters"].map((kind) => ({
    ...goal(policies, `ratio_${kind}`, 1.3),
    routesMin: 10_000,
  })),
  ...["add", "edit", "remove"].map((change) => goal(policies, `gateway_${change}_last`, 3_000)),
  goal(policies, "edit_beside_delay", 200),
  goal(policies, "failed_requests", 0),
  goal(/^first-statuses$/, "before_statuses_of_routes", 60_000),
  goal(/^first-statuses$/, "before_edit_to_status_max", 1_000),
  goal(/^first-statuses$/, "while_edit_to_status_max", 1_000),
  goal(/^operator-restart$/, "failed_requests", 0),
  goal(/^operator-restart$/, "resources_resent", 0),
  goal(/^operator-restart$/, "status_writes", 0),
  goal(/^api-server-away$/, "failed_requests", 0),
  goal(/^api-server-away$/, "effective_after_return", 2_000),
  ...["added", "renamed", "certificate", "route", "removed"].flatMap((change) => [
    goal(tenants, `${change}_foreign_dropped`, 0),
    goal(tenants, `${change}_foreign_failed`, 0),
  ]),
  ...["https", "terminated", "passthrough"].map((protocol) => goal(tenants, `added_to_${protocol}_max`, 1_000)),
  { ...goal(tenants, "control_plane_rss_per_tenant", 2), routesMin: 200 },
  goal(/^quickstart$/, "to_first_200", 30_000),
];

export interface Recorder {
  readonly rows: readonly Row[];
  add(metric: string, unit: Unit, value: number): void;
  /** `<label>_p50`, `_p90`, `_p99` and `_max`. */
  addDistribution(label: string, unit: Unit, values: readonly number[]): void;
}

export function createRecorder(rows: Row[], scenario: string, n: number): Recorder {
  const add = (metric: string, unit: Unit, value: number) => {
    rows.push({ scenario, n, metric, unit, value: Number(value.toPrecision(4)) });
  };
  return {
    rows,
    add,
    addDistribution(label, unit, values) {
      const sorted = [...values].sort((a, b) => a - b);
      add(`${label}_p50`, unit, median(values));
      add(`${label}_p90`, unit, percentile(sorted, 0.9));
      add(`${label}_p99`, unit, percentile(sorted, 0.99));
      add(`${label}_max`, unit, percentile(sorted, 1));
    },
  };
}

/** A line on what happens now, with the time since the start. */
export function progress(text: string): void {
  const seconds = (performance.now() / 1000).toFixed(0).padStart(4);
  process.stderr.write(`${seconds} s  ${text}\n`);
}

/** One table for each scenario: a line a metric, a column a size. */
export function formatTables(rows: readonly Row[]): string {
  const lines: string[] = [];
  for (const scenario of new Set(rows.map((row) => row.scenario))) {
    const own = rows.filter((row) => row.scenario === scenario);
    const sizes = [...new Set(own.map((row) => row.n))].sort((a, b) => a - b);
    lines.push("", `${scenario.padEnd(44)}${sizes.map((n) => n.toLocaleString("en").padStart(12)).join("")}`);
    for (const metric of new Set(own.map((row) => row.metric))) {
      const cells = sizes.map((n) => formatCell(own.find((row) => row.n === n && row.metric === metric)));
      const unit = own.find((row) => row.metric === metric)!.unit;
      lines.push(`${`  ${metric} (${unit})`.padEnd(44)}${cells.join("")}`);
    }
  }
  return lines.join("\n");
}

function formatCell(row: Row | undefined): string {
  if (row === undefined) return "-".padStart(12);
  const digits = row.value !== 0 && Math.abs(row.value) < 10 ? 2 : row.value < 100 ? 1 : 0;
  const text =
    row.unit === "count" ? String(row.value) : row.value.toLocaleString("en", { maximumFractionDigits: digits });
  return `${missedGoal(row) === undefined ? "" : "! "}${text}`.padStart(12);
}

function missedGoal(row: Row): Goal | undefined {
  return goals.find(
    (goal) =>
      goal.scenario.test(row.scenario) &&
      goal.metric === row.metric &&
      row.n <= goal.routesMax &&
      row.n >= goal.routesMin &&
      row.value > goal.atMost,
  );
}

/** A sentence for every goal that was missed. */
export function missedGoals(rows: readonly Row[]): string[] {
  return rows.flatMap((row) => {
    const goal = missedGoal(row);
    if (goal === undefined) return [];
    return [
      `${row.scenario} at ${row.n}: ${row.metric} is ${row.value} ${row.unit}, the goal is at most ${goal.atMost}`,
    ];
  });
}

export function writeResults(path: string, results: Results): void {
  writeFileSync(path, `${JSON.stringify(results, null, 1)}\n`);
}
