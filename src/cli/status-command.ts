import { stringify } from "yaml";
import { LOOPBACK } from "../admin/http-server.ts";
import { readInstance, stateFolderOf } from "../infra/state-folder.ts";
import type { ObjectStatus } from "../status/render.ts";
import { requireDirectory } from "./folder.ts";
import { evaluateFolder } from "./offline.ts";
import { formatStatus, type StatusText } from "./status-text.ts";

/** What the admin server's `/status` answers. */
export interface StatusView {
  readonly directory: string;
  /** What is wrong with the files, one line each. */
  readonly problems: readonly string[];
  readonly envoys: readonly { readonly gateway: string; readonly pid: number; readonly adminAddress?: string }[];
  readonly objects: Readonly<Record<string, ObjectStatus>>;
}

/** Objects of one kind that are fine: beyond so many they are counted, so that what is wrong can be found. */
const LISTED_PER_KIND_MAX = 50;

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
  const instance = await readInstance(await stateFolderOf(directory));
  const view =
    instance === undefined ? await evaluate(directory, controllerNames) : await ask(instance.pid, instance.adminPort);
  const entries = Object.entries(view.objects).sort(([a], [b]) => order(a) - order(b) || (a < b ? -1 : 1));
  const texts = entries.map(([key, status]): ObjectText => ({ kind: kindOf(key), ...formatStatus(key, status) }));
  if (output === "text") {
    print(
      instance === undefined
        ? `No Gatehouse serves ${directory} now, so nothing is programmed. This is what its files come to:`
        : `Gatehouse (process ${instance.pid}) serves ${directory}:`,
    );
    for (const line of explain(view, texts)) print(line);
  } else {
    const sorted = { ...view, objects: Object.fromEntries(entries) };
    print(output === "json" ? JSON.stringify(sorted, null, 2) : stringify(sorted).trimEnd());
  }
  return view.problems.length === 0 && texts.every(({ verdict }) => verdict !== "bad");
}

interface ObjectText extends StatusText {
  readonly kind: string;
}

function explain({ problems, envoys }: StatusView, texts: readonly ObjectText[]): string[] {
  const lines = [...problems];
  for (const [kind, ofKind] of Map.groupBy(texts, (text) => text.kind)) {
    const fine = ofKind.filter(({ verdict }) => verdict === "good");
    const unlisted = new Set(fine.slice(LISTED_PER_KIND_MAX));
    for (const text of ofKind) if (!unlisted.has(text)) lines.push(...text.lines);
    if (unlisted.size > 0) lines.push(`ok      ${unlisted.size} more of kind ${kind} (-o yaml lists all)`);
  }
  for (const { gateway, pid, adminAddress = "" } of envoys) {
    const place = adminAddress.startsWith("/")
      ? `--unix-socket ${adminAddress} http://envoy`
      : `http://${adminAddress}`;
    lines.push(`Envoy of ${gateway} is process ${pid}; ask it by: curl ${place}/stats`);
  }
  const bad = texts.filter(({ verdict }) => verdict === "bad").length;
  const inFiles = problems.length === 0 ? "" : `; ${count(problems.length, "problem")} in files`;
  lines.push(`${count(texts.length, "object")}, ${bad === 0 ? "all well" : `${bad} not as they should be`}${inFiles}`);
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

const kinds = ["GatewayClass", "Gateway", "HTTPRoute", "GRPCRoute", "Backend"];

function kindOf(key: string): string {
  return key.slice(0, key.indexOf("/"));
}

function order(key: string): number {
  const place = kinds.indexOf(kindOf(key));
  return place < 0 ? kinds.length : place;
}
