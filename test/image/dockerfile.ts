import { readFileSync } from "node:fs";

/** A line of a Dockerfile, joined with those that continue it: `RUN`, `make build`. */
export interface Instruction {
  readonly keyword: string;
  readonly text: string;
}

/** The stages of a Dockerfile, each beginning with its FROM. */
export function readStages(path: string): Instruction[][] {
  const lines = readFileSync(path, "utf8")
    .replace(/^\s*#.*\n/gm, "")
    .replace(/\\\n\s*/g, "")
    .split("\n")
    .filter((line) => line.trim() !== "");
  const stages: Instruction[][] = [];
  for (const line of lines) {
    const [, keyword = "", text = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (keyword === "FROM") stages.push([]);
    stages.at(-1)?.push({ keyword, text });
  }
  return stages;
}

/** The argument of an instruction that the stage has once. */
export function only(stage: readonly Instruction[], keyword: string): string {
  const [first, ...more] = stage.filter((instruction) => instruction.keyword === keyword);
  if (first === undefined || more.length > 0) throw new Error(`there is to be one ${keyword} in a stage`);
  return first.text;
}

/** Whether `.dockerignore` lets a file into the build: the last line that matches the path, or a folder above it, decides. */
export function buildContext(path: string): (file: string) => boolean {
  const rules = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ includes: line.startsWith("!"), pattern: expression(line.replace(/^!/, "")) }));
  return (file) => rules.findLast(({ pattern }) => pattern.test(file))?.includes ?? true;
}

function expression(pattern: string): RegExp {
  const text = pattern
    .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll("**/", "\0")
    .replaceAll("*", "[^/]*")
    .replaceAll("\0", "(?:.*/)?");
  return new RegExp(`^${text}(?:/.*)?$`);
}
