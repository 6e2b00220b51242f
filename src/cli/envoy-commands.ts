import { once } from "node:events";
import { Command, InvalidArgumentError } from "commander";
import { createLogger } from "../base/log.ts";
import { podPorts, podSockets } from "../envoy/pod-ports.ts";
import { copyFromEnvoy } from "../infra/envoy-admin.ts";
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
    .option("--port <port>", "port for the kubelet", Number, podPorts.shutdown)
    .option("--socket <path>", 'socket for "gatehouse envoy shutdown"', podSockets.shutdown)
    .option("--admin <path>", "socket of Envoy's admin interface", podSockets.admin)
    .action(runShutdownManager);
  envoy
    .command("shutdown")
    .description("ask the pod's shutdown manager to drain Envoy, and wait until it is drained")
    .option("--socket <path>", "socket of the shutdown manager", podSockets.shutdown)
    .action(({ socket }: { socket: string }) => askForShutdown(socket));
  envoy
    .command("admin")
    .description("print a page of the admin interface of the pod's Envoy, such as /config_dump, /clusters, /stats")
    .argument("<path>", "path and query")
    .option("-X, --method <method>", "POST for what changes something, such as /logging?level=debug", "GET")
    .option("--admin <path>", "socket of Envoy's admin interface", podSockets.admin)
    .action((path: string, { method, admin }: { method: string; admin: string }) =>
      copyFromEnvoy(admin, method, path, process.stdout),
    );
  return envoy;
}

interface ShutdownManagerFlags {
  readonly drainTimeout: number;
  readonly minDrainDuration: number;
  readonly healthCheckFailureDelay: number;
  readonly port: number;
  readonly socket: string;
  readonly admin: string;
}

async function runShutdownManager(flags: ShutdownManagerFlags): Promise<void> {
  const log = createLogger({ level: "info" });
  const manager = await startShutdownManager({
    adminAddress: flags.admin,
    port: flags.port,
    socket: flags.socket,
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
