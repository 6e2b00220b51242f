/**
 * Writes the table of conformance into README.md, from the reports in `docs/conformance/`. Run from anywhere:
 * `node tools/generate-conformance-table.ts`. `make conformance` with `--publish` and `make generate` do.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const root = join(import.meta.dirname, "..");
export const reportsFolder = join(root, "docs/conformance");
const readmePath = join(root, "README.md");

interface Result {
  readonly statistics: { readonly Passed: number; readonly Skipped: number; readonly Failed: number };
}

interface ProfileReport {
  readonly name: string;
  readonly core: Result;
  readonly extended?: Result & {
    readonly supportedFeatures?: readonly string[];
    readonly unsupportedFeatures?: readonly string[];
  };
}

/** As the suite writes it (`sigs.k8s.io/gateway-api/conformance/apis/v1`, ConformanceReport); what is read of it. */
export interface ConformanceReport {
  readonly date: string;
  readonly gatewayAPIVersion: string;
  readonly gatewayAPIChannel: string;
  readonly implementation: { readonly version: string };
  readonly profiles: readonly ProfileReport[];
}

/** All that are published, by channel. */
export function readReports(folder = reportsFolder): readonly ConformanceReport[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith("-report.yaml"));
  return files.sort().map((name) => parse(readFileSync(join(folder, name), "utf8")) as ConformanceReport);
}

const ORDER = ["GATEWAY-HTTP", "GATEWAY-GRPC", "GATEWAY-TLS", "GATEWAY-TCP", "GATEWAY-UDP"];

/** Markdown: a row for each profile of each report. */
export function renderTable(reports: readonly ConformanceReport[]): string {
  if (reports.length === 0) return "No report has been published yet.";
  const rows = reports.flatMap(({ gatewayAPIChannel, profiles }) =>
    [...profiles]
      .sort((a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name))
      .map((profile) => [profile.name, gatewayAPIChannel, describe(profile.core), ...describeExtended(profile)]),
  );
  const head = ["profile", "channel", "core tests", "extended features", "their tests"];
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  const runs = reports.map(
    ({ gatewayAPIChannel, gatewayAPIVersion, implementation, date }) =>
      `${gatewayAPIChannel}: Gatehouse ${implementation.version} on ${date.slice(0, 10)}, suite ${gatewayAPIVersion}`,
  );
  return `${lines.join("\n")}\n\n${runs.join("; ")}.`;
}

function describe({ statistics: { Passed, Failed, Skipped } }: Result): string {
  const rest = [Failed > 0 && `**${Failed} failed**`, Skipped > 0 && `${Skipped} skipped`].filter(
    (text) => text !== false,
  );
  return [`${Passed} passed`, ...rest].join(", ");
}

function describeExtended({ extended }: ProfileReport): [string, string] {
  if (extended === undefined) return ["none", ""];
  const { supportedFeatures = [], unsupportedFeatures = [] } = extended;
  const count = `${supportedFeatures.length} of ${supportedFeatures.length + unsupportedFeatures.length}`;
  return [count, describe(extended)];
}

const BEGIN = "<!-- from docs/conformance, by tools/generate-conformance-table.ts -->";
const END = "<!-- end -->";

/** @throws Error when the text has no place for it */
export function replaceTable(text: string, table: string): string {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`README.md has no ${BEGIN} … ${END}`);
  return `${text.slice(0, begin)}${BEGIN}\n${table}\n${text.slice(end)}`;
}

export function writeTable(): void {
  writeFileSync(readmePath, replaceTable(readFileSync(readmePath, "utf8"), renderTable(readReports())));
}

if (import.meta.main) writeTable();
