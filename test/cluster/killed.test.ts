import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { waitFor } from "../harness/waiting.ts";
import { startCluster } from "./cluster.ts";
import { runCommand } from "./commands.ts";
import { READY_LIMIT_MS, START_LIMIT_MS } from "./fixtures/workloads.ts";

const holder = fileURLToPath(new URL("fixtures/hold-cluster.ts", import.meta.url));

/** Command lines of this machine's processes in which the text occurs. */
function processesWith(text: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return "";
      }
    })
    .filter((line) => line.includes(text));
}

test(
  "a cluster whose starter is killed ends with all that it had, and does not hinder another that starts beside it",
  async () => {
    const child = spawn(process.execPath, ["--no-warnings", holder], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit").then(() => Promise.reject(new Error("the starter ended by itself")));
    const said = Promise.race([once(createInterface({ input: child.stdout }), "line"), ended]);
    const [beside, [line]] = await Promise.all([startCluster({ images: [] }), said as Promise<[string]>]);
    const { directory, slot } = JSON.parse(line) as { directory: string; slot: number };
    expect(beside.addresses.slot).not.toBe(slot);
    expect(processesWith(directory).length).toBeGreaterThan(5);

    child.kill("SIGKILL");
    await waitFor("all processes to end", () => processesWith(directory).length === 0, READY_LIMIT_MS);
    const links = async () => runCommand("ip", ["-brief", "link"]);
    await waitFor("its link to go", async () => !(await links()).includes(`cluster${slot}@`), READY_LIMIT_MS);
    expect(readFileSync("/proc/mounts", "utf8")).not.toContain(directory);
    expect((await beside.rest.ask("/readyz")).status).toBe(200);
    await beside.stop();

    const next = await startCluster({ images: [] });
    expect(existsSync(directory)).toBe(false);
    await next.stop();
    expect(existsSync(next.directory)).toBe(false);
  },
  START_LIMIT_MS,
);
