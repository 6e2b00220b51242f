import type { Command } from "commander";

/** Runs a command line and sets the exit code. Expected failures are one line; only bugs print a stack. */
export async function runProgram(words: readonly string[]): Promise<void> {
  try {
    await (await loadProgram(words)).parseAsync(words, { from: "user" });
  } catch (error) {
    process.stderr.write(`gatehouse: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

/** What runs beside every Envoy of a cluster does not load the whole of Gatehouse for it. */
async function loadProgram(words: readonly string[]): Promise<Command> {
  if (words[0] !== "envoy") return (await import("./program.ts")).createProgram();
  const [{ Command: Program }, { createEnvoyCommands }] = await Promise.all([
    import("commander"),
    import("./envoy-commands.ts"),
  ]);
  return new Program("gatehouse").addCommand(createEnvoyCommands());
}
