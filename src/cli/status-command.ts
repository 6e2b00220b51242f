import { stringify } from "yaml";
import { LOOPBACK } from "../admin/http-server.ts";
import { readInstance, stateFolderOf } from "../infra/state-folder.ts";
import type { ObjectStatus } from "../status/render.ts";
import { evaluateFolder } from "./offline.ts";
import { formatStatus } from "./status-text.ts";

/** What the admin server's `/status` answers. */
export interface StatusView {
  readonly directory: string;
  /** What is wrong with the files, one line each. */
  readonly problems: readonly string[];
  readonly envoys: readonly { readonly gateway: string; readonly pid: number; readonly adminAddress?: string }[];
  readonly objects: Readonly<Record<string, ObjectStatus>>;
}

/** A running Gatehouse that takes longer than this to answer is reported as hanging. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Prints the statuses of a directory's objects: from the Gatehouse that serves it, else computed here. Resolves to whether all
 * is well.
 */
export async function showStatus(
  directory: string,
  output: "text" | "yaml" | "json",
  controllerNames: readonly string[],
  print: (line: string) => void,
): Promise<boolean> {
  const instance = await readInstance(await stateFolderOf(directory));
  const view =
    instance === undefined ? await evaluate(directory, controllerNames, print, output) : await ask(instance.adminPort);
  const entries = Object.entries(view.objects).sort(([a], [b]) => order(a) - order(b) || (a < b ? -1 : 1));
  const texts = entries.map(([key, status]) => formatStatus(key, status));
  const isFine = view.problems.length === 0 && texts.every(({ verdict }) => verdict !== "bad");
  if (output !== "text") {
    const sorted = { ...view, objects: Object.fromEntries(entries) };
    print(output === "json" ? JSON.stringify(sorted, null, 2) : stringify(sorted).trimEnd());
    return isFine;
  }
  for (const line of view.problems) print(line);
  for (const { lines } of texts) for (const line of lines) print(line);
  for (const { gateway, pid, adminAddress } of view.envoys) {
    print(`Envoy of ${gateway}: process ${pid}${adminAddress === undefined ? "" : `, admin http://${adminAddress}`}`);
  }
  return isFine;
}

async function evaluate(
  directory: string,
  controllerNames: readonly string[],
  print: (line: string) => void,
  output: string,
): Promise<StatusView> {
  const { control, problems } = await evaluateFolder(directory, controllerNames);
  if (output === "text") {
    print(`No Gatehouse serves ${directory} now, so nothing is programmed. This is what its files come to:`);
  }
  return { directory, problems, envoys: [], objects: control.statuses() };
}

async function ask(adminPort: number): Promise<StatusView> {
  const response = await fetch(`http://${LOOPBACK}:${adminPort}/status`, {
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`the running Gatehouse answered with ${response.status}: ${await response.text()}`);
  return (await response.json()) as StatusView;
}

const kinds = ["GatewayClass", "Gateway", "HTTPRoute", "GRPCRoute", "Backend"];

function order(key: string): number {
  const place = kinds.indexOf(key.slice(0, key.indexOf("/")));
  return place < 0 ? kinds.length : place;
}
