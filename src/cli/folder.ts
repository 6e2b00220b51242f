import { stat } from "node:fs/promises";
import { createFileInput } from "../inputs/files/file-input.ts";
import { formatInputProblem, type InputProblem } from "../inputs/files/problem.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";

/** A directory of YAML that feeds a pipeline. */
export interface Folder {
  readonly files: number;
  readonly objects: number;
  /** What is wrong in its files now, one line each, by file. */
  problems(): string[];
  close(): void;
}

/** What is found wrong at once is told in so many lines; `gatehouse status` lists the rest. */
const TOLD_MAX = 25;

/** @throws Error when it is not there, or a file */
export async function requireDirectory(directory: string): Promise<void> {
  const stats = await stat(directory).catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      error.code === "ENOENT" ? `there is no directory ${directory}` : `cannot read ${directory}: ${error.message}`,
    );
  });
  if (!stats.isDirectory()) throw new Error(`${directory} is a file; name the directory that holds it`);
}

/**
 * Reads a directory in full, stages its objects, and follows its edits from then on. When this resolves, everything is staged
 * and the pipeline may compute.
 *
 * @param print told of problems when they come and when they are solved
 */
export async function openFolder(
  directory: string,
  pipeline: Pick<Pipeline, "stage" | "notify" | "markSynced">,
  print: (line: string) => void,
): Promise<Folder> {
  const problems = new Map<string, readonly InputProblem[]>();
  const input = createFileInput({
    directory,
    onBatch(batch) {
      pipeline.stage(batch);
      pipeline.notify();
    },
    onProblems(changed) {
      const news: string[] = [];
      for (const [file, found] of changed) {
        news.push(...tellChanges(file, problems.get(file) ?? [], found));
        if (found.length === 0) problems.delete(file);
        else problems.set(file, found);
      }
      for (const line of news.slice(0, TOLD_MAX)) print(line);
      if (news.length > TOLD_MAX) {
        print(`        and ${news.length - TOLD_MAX} more; \`gatehouse status ${directory}\` lists all`);
      }
    },
  });
  const summary = await input.start();
  pipeline.markSynced();
  pipeline.notify();
  return {
    ...summary,
    problems: () => [...problems.values()].flat().map(formatProblem),
    close: () => input.stop(),
  };
}

/** A file is read again as a whole: what was told before is not told again. */
function tellChanges(file: string, before: readonly InputProblem[], now: readonly InputProblem[]): string[] {
  if (now.length === 0) return before.length === 0 ? [] : [`ok      ${file}: nothing is wrong with it any more`];
  const told = new Set(before.map(formatProblem));
  return now.map(formatProblem).filter((line) => !told.has(line));
}

export function formatProblem(problem: InputProblem): string {
  const mark = problem.severity === "error" ? "PROBLEM" : "warning";
  return `${mark} ${problem.file === "" ? problem.message : formatInputProblem(problem)}`;
}
