import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option } from "commander";
import { logLevels } from "../base/log.ts";
import { startDemoBackend } from "./demo-backend.ts";
import { createEnvoyCommands } from "./envoy-commands.ts";
import { addOperator } from "./operator-command.ts";
import { runStandalone } from "./standalone-command.ts";
import { DEFAULT_CONTROLLER_NAME } from "./standalone-settings.ts";
import { showStatus } from "./status-command.ts";
import { stopFolder } from "./stop-command.ts";
import { resourceLabels, showTranslation } from "./translate-command.ts";
import { readVersion } from "./version.ts";

/** Worker threads of one Envoy on a laptop: several Gateways share it with everything else. */
const CONCURRENCY_MAX = 4;
const PORT_MAX = 65_535;

const envoyLogLevels = ["trace", "debug", "info", "warning", "error", "critical", "off"];

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);

/** The commands of the gatehouse binary. */
export function createProgram(): Command {
  const program = new Command("gatehouse")
    .description("Runs and programs Envoy for Gateway API objects")
    .version(readVersion(), "-V, --version");
  addStandalone(program);
  addStatus(program);
  addTranslate(program);
  program
    .command("stop")
    .description("end the Gatehouse that serves a directory, and Envoys that a killed one left behind")
    .argument("<directory>")
    .action((directory: string) => stopFolder(directory, print));
  addDemoBackend(program);
  addOperator(program);
  program.addCommand(createEnvoyCommands());
  program
    .command("version")
    .description("print the version")
    .action(() => print(readVersion()));
  return program;
}

interface StandaloneFlags {
  readonly envoy?: string | boolean;
  readonly adminPort: number;
  readonly xdsAddress?: string;
  readonly concurrency: number;
  readonly logLevel: (typeof logLevels)[number];
  readonly logFormat?: "json" | "text";
  readonly envoyLogLevel: string;
  readonly controllerName: string[];
  readonly demoBackend?: number;
  readonly rateLimitRedis?: string;
  readonly rateLimitCommand?: string;
  readonly rateLimitAddress?: string;
  readonly rateLimitFailClosed?: boolean;
}

function addStandalone(program: Command): void {
  program
    .command("standalone")
    .description("serve a directory of YAML on this host, one Envoy for each Gateway, following every edit")
    .argument("<directory>", "searched with all its sub-directories")
    .option("--envoy <path>", "Envoy to run (default: ENVOY_PATH, PATH, then the one of `make tools`)")
    .option("--no-envoy", "start no Envoy; run your own against --xds-address")
    .option("--admin-port <port>", "port of Gatehouse's admin server on 127.0.0.1; 0 = a free one", parsePort, 0)
    .option("--xds-address <host:port>", "serve xDS here too, unencrypted", parseAddress)
    .option("--concurrency <threads>", "worker threads of each Envoy", parseCount, defaultConcurrency())
    .option("--rate-limit-redis <host:port>", "start the rate limit service, which counts for all Envoys in this Redis")
    .option("--rate-limit-command <path>", "the service (default: ratelimit on PATH, then the one of `make ratelimit`)")
    .option("--rate-limit-address <host:port>", "a rate limit service that runs already", parseAddress)
    .option("--rate-limit-fail-closed", "refuse requests that nobody counts, while the service does not answer")
    .option("--demo-backend <port>", "also serve a small HTTP backend on 127.0.0.1", parsePort)
    .addOption(controllerNames())
    .addOption(new Option("--log-level <level>").choices(logLevels).default("warn"))
    .addOption(new Option("--log-format <format>", "default: text on a terminal").choices(["json", "text"]))
    .addOption(new Option("--envoy-log-level <level>").choices(envoyLogLevels).default("warning"))
    .action(async (directory: string, flags: StandaloneFlags) => {
      const { envoy, controllerName, demoBackend, ...rest } = flags;
      await runStandalone(
        {
          ...rest,
          directory,
          runEnvoy: envoy !== false,
          ...(typeof envoy === "string" && { envoy }),
          controllerNames: controllerName,
          ...(demoBackend !== undefined && { demoBackendPort: demoBackend }),
        },
        print,
      );
    });
}

function addStatus(program: Command): void {
  program
    .command("status")
    .description("tell what became of every object of a directory; exit code 2 when something is wrong")
    .argument("<directory>")
    .addOption(new Option("-o, --output <format>").choices(["text", "yaml", "json"]).default("text"))
    .addOption(controllerNames())
    .action(async (directory: string, flags: { output: "text" | "yaml" | "json"; controllerName: string[] }) => {
      if (!(await showStatus(directory, flags.output, flags.controllerName, print))) process.exitCode = 2;
    });
}

function addTranslate(program: Command): void {
  program
    .command("translate")
    .description(
      "print the xDS resources that a directory becomes, without running anything; private keys are left out",
    )
    .argument("<directory>")
    .addOption(new Option("-o, --output <format>").choices(["yaml", "json"]).default("yaml"))
    .option(
      "--gateway <namespace/name>",
      "of this Gateway only; the name of a GatewayClass whose Gateways share their Envoys",
    )
    .addOption(new Option("--type <type...>", "only these").choices(resourceLabels).default([], "all"))
    .addOption(controllerNames())
    .action(
      async (
        directory: string,
        flags: { output: "yaml" | "json"; gateway?: string; type: typeof resourceLabels; controllerName: string[] },
      ) => {
        const { output, gateway, type: types, controllerName } = flags;
        const options = { directory, output, types, controllerNames: controllerName, ...(gateway && { gateway }) };
        if (!(await showTranslation(options, print, complain))) process.exitCode = 2;
      },
    );
}

function addDemoBackend(program: Command): void {
  program
    .command("demo-backend")
    .description("serve a small HTTP backend that answers with what it was asked (?status=503 ?delay=200)")
    .requiredOption("--port <port>", "to listen on", parsePort)
    .option("--host <address>", "to listen on", "127.0.0.1")
    .option("--name <name>", "told in every answer", "demo")
    .action(async ({ port, host, name }: { port: number; host: string; name: string }) => {
      const backend = await startDemoBackend(port, name, host);
      print(`backend ${name} answers on http://${host}:${backend.port}; Ctrl-C stops`);
      // The first process of a container ends by no signal that it does not handle.
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void backend.close());
    });
}

function controllerNames(): Option {
  return new Option("--controller-name <name...>", "GatewayClasses with this controllerName are served").default(
    [],
    DEFAULT_CONTROLLER_NAME,
  );
}

function defaultConcurrency(): number {
  return Math.min(CONCURRENCY_MAX, availableParallelism());
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > PORT_MAX)
    throw new InvalidArgumentError(`a port is a number from 0 to ${PORT_MAX}`);
  return port;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1) throw new InvalidArgumentError("a number from 1 is needed");
  return count;
}

function parseAddress(text: string): string {
  if (!/^(\[[\da-fA-F:]+\]|[\w.-]+):\d+$/.test(text)) throw new InvalidArgumentError("write it as host:port");
  return text;
}
