import { once } from "node:events";
import { Command, InvalidArgumentError } from "commander";
import { createLogger } from "../base/log.ts";
import { podPorts } from "../envoy/pod-ports.ts";
import { askForShutdown, startShutdownManager } from "../infra/shutdown-manager.ts";
import { parseDuration } from "../translate/duration.ts";

/** Commands that run beside Envoy in its pod. They load little, because every pod pays for it. */
export function createEnvoyCommands(): Command {
  const envoy = new Command("envoy").description("run beside Envoy in its pod");
  envoy
    .command("shutdown-manager")
    .description("drain the pod's Envoy before it is ended; runs until it gets SIGTERM")
    .option("--drain-timeout <duration>", "longest time to wait for connections to end", readDuration, 60_000)
    .option("--min-drain-duration <duration>", "shortest time to keep serving", readDuration, 10_000)
    .option("--health-check-failure-delay <duration>", "drain so long before health checks fail", readDuration, 0)
    .option("--port <port>", "port to listen on", Number, podPorts.shutdown)
    .option("--admin-port <port>", "port of Envoy's admin interface", Number, podPorts.admin)
    .action(runShutdownManager);
  envoy
    .command("shutdown")
    .description("ask the pod's shutdown manager to drain Envoy, and wait until it is drained")
    .option("--port <port>", "port of the shutdown manager", Number, podPorts.shutdown)
    .action(({ port }: { port: number }) => askForShutdown(port));
  return envoy;
}

interface ShutdownManagerFlags {
  readonly drainTimeout: number;
  readonly minDrainDuration: number;
  readonly healthCheckFailureDelay: number;
  readonly port: number;
  readonly adminPort: number;
}

async function runShutdownManager(flags: ShutdownManagerFlags): Promise<void> {
  const log = createLogger({ level: "info" });
  const manager = await startShutdownManager({
    adminAddress: `127.0.0.1:${flags.adminPort}`,
    port: flags.port,
    ownPorts: [podPorts.ready, podPorts.stats],
    drain: {
      timeoutMs: flags.drainTimeout,
      minimumMs: flags.minDrainDuration,
      healthCheckDelayMs: flags.healthCheckFailureDelay,
    },
    log,
  });
  log.info("waiting for the end of Envoy", { port: manager.port });
  await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  // Usually long over by now; a pod whose hooks did not run is drained all the same.
  await manager.drain();
  await manager.close();
}

function readDuration(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new InvalidArgumentError("Write a duration such as 60s or 1m30s.");
  return milliseconds;
}
