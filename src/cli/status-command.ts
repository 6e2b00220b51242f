import { stringify } from "yaml";
import { LOOPBACK } from "../admin/http-server.ts";
import { compareStrings } from "../base/keys.ts";
import { isRunning } from "../infra/process-identity.ts";
import { readEnvoyRecords, readInstance, type StateFolder, stateFolderOf } from "../infra/state-folder.ts";
import type { ObjectStatus } from "../status/render.ts";
import { requireDirectory } from "./folder.ts";
import { evaluateFolder } from "./offline.ts";
import { type ObjectNews, splitKey, summarize } from "./status-summary.ts";
import { formatNames, formatStatus } from "./status-text.ts";

/** What the admin server's `/status` answers. */
export interface StatusView {
  readonly directory: string;
  /** What is wrong with the files, one line each. */
  readonly problems: readonly string[];
  readonly envoys: readonly { readonly gateway: string; readonly pid: number; readonly adminAddress?: string }[];
  readonly objects: Readonly<Record<string, ObjectStatus>>;
}

/** A crowd that is fine is counted, so that what is wrong can be found; of that nothing is left out. */
const LIMITS = { fineMax: 50, wrongMax: Number.POSITIVE_INFINITY };

/** A running Gatehouse that takes longer than this to answer is reported as hanging. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Prints the statuses of a directory's objects: from the Gatehouse that serves it, else computed here. As text it lists
 * everything that is wrong and sums up a crowd that is fine; the other formats hold all of it. Resolves to whether all is well.
 */
export async function showStatus(
  directory: string,
  output: "text" | "yaml" | "json",
  controllerNames: readonly string[],
  print: (line: string) => void,
): Promise<boolean> {
  await requireDirectory(directory);
  const state = await stateFolderOf(directory);
  const instance = await readInstance(state);
  const view =
    instance === undefined ? await evaluate(directory, controllerNames) : await ask(instance.pid, instance.adminPort);
  const entries = Object.entries(view.objects).sort(([a], [b]) => compareStrings(a, b));
  const news = entries.map(([key, status]): ObjectNews => ({ ...splitKey(key), ...formatStatus(status) }));
  if (output === "text") {
    print(
      instance === undefined
        ? `No Gatehouse serves ${directory} now, so ${await describeLeft(state)}. This is what its files come to:`
        : `Gatehouse (process ${instance.pid}) serves ${directory}:`,
    );
    for (const line of explain(view, news)) print(line);
  } else {
    const sorted = { ...view, objects: Object.fromEntries(entries) };
    print(output === "json" ? JSON.stringify(sorted, null, 2) : stringify(sorted).trimEnd());
  }
  return view.problems.length === 0 && news.every(({ verdict }) => verdict !== "bad");
}

/** Envoys outlive a Gatehouse that was killed. */
async function describeLeft(state: StateFolder): Promise<string> {
  const running: string[] = [];
  for (const record of await readEnvoyRecords(state)) if (await isRunning(record)) running.push(record.gateway);
  if (running.length === 0) return "nothing is programmed";
  return `nothing changes, but the Envoy of ${formatNames(running)} still serves what it had`;
}

function explain({ problems, envoys }: StatusView, news: readonly ObjectNews[]): string[] {
  const lines = [...problems, ...summarize(news, LIMITS)];
  for (const { gateway, pid, adminAddress = "" } of envoys) {
    const place = adminAddress.startsWith("/")
      ? `--unix-socket ${adminAddress} http://envoy`
      : `http://${adminAddress}`;
    lines.push(`Envoy of ${gateway} is process ${pid}; ask it by: curl ${place}/stats`);
  }
  const bad = news.filter(({ verdict }) => verdict === "bad").length;
  const inFiles = problems.length === 0 ? "" : `; ${count(problems.length, "problem")} in files`;
  lines.push(`${count(news.length, "object")}, ${bad === 0 ? "all well" : `${bad} not as they should be`}${inFiles}`);
  return lines;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

async function evaluate(directory: string, controllerNames: readonly string[]): Promise<StatusView> {
  const { control, problems } = await evaluateFolder(directory, controllerNames);
  return { directory, problems, envoys: [], objects: control.statuses() };
}

async function ask(pid: number, adminPort: number): Promise<StatusView> {
  const response = await fetch(`http://${LOOPBACK}:${adminPort}/status`, {
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  }).catch((error: Error) => {
    throw new Error(`the Gatehouse that runs (process ${pid}) does not answer: ${error.message}`);
  });
  if (!response.ok) throw new Error(`the running Gatehouse answered with ${response.status}: ${await response.text()}`);
  return (await response.json()) as StatusView;
}
