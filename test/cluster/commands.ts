import { execFile } from "node:child_process";
import { findCommand } from "./programs.ts";

const LIMIT_MS = 60_000;
const OUTPUT_MAX_BYTES = 16 * 1024 * 1024;

/**
 * Runs a system command to its end and resolves with its standard output.
 *
 * @throws Error with the command line and what it wrote to standard error
 */
export function runCommand(command: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { timeout: LIMIT_MS, maxBuffer: OUTPUT_MAX_BYTES };
    const child = execFile(findCommand(command) ?? command, [...args], limits, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(" ")}: ${stderr.trim() || error.message}`));
    });
    // A program that ends without reading its input says so by its exit code.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });
}

/** Runs `ip` commands in one process; stops at the first that fails. */
export async function runIp(lines: readonly string[], namespace?: string): Promise<void> {
  const target = namespace === undefined ? [] : ["-netns", namespace];
  await runCommand("ip", [...target, "-batch", "-"], lines.map((line) => `${line}\n`).join(""));
}
