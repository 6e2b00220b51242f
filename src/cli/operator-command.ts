import { type Command, Option } from "commander";
import { createLogger } from "../base/log.ts";
import type { Configuration } from "./config.ts";
import { readConfiguration } from "./config.ts";
import { changedParts, watchConfiguration } from "./config-file.ts";
import { createLogLevels } from "./config-logging.ts";
import {
  addOperatorOptions,
  controllerNamesOf,
  type OperatorFlags,
  readPodIdentity,
  watchScopeOf,
} from "./config-pod.ts";
import { readVersion } from "./version.ts";

export interface ServeFlags extends OperatorFlags {
  readonly image: string;
  readonly envoyImage?: string;
  readonly rateLimitImage?: string;
}

/** Adds `gatehouse operator`. The operator itself is loaded when it is asked for: no other command needs the API server's client. */
export function addOperator(program: Command): void {
  const command = program
    .command("operator")
    .description("serve the Gateways of a Kubernetes cluster")
    .addOption(
      new Option("--image <image>", "of Gatehouse itself, for the container that drains Envoy")
        .env("GATEHOUSE_IMAGE")
        .default(`ghcr.io/gatehouse/gatehouse:v${readVersion()}`),
    )
    .addOption(new Option("--envoy-image <image>", "where no EnvoyProxy names one").env("GATEHOUSE_ENVOY_IMAGE"))
    .addOption(new Option("--rate-limit-image <image>", "of the rate limit service").env("GATEHOUSE_RATE_LIMIT_IMAGE"));
  addOperatorOptions(command).action(runOperator);
}

/** Runs until a signal; a changed configuration that cannot take effect in place ends the process, and its pod starts anew. */
async function runOperator(flags: ServeFlags): Promise<void> {
  const pod = readPodIdentity(flags);
  const ended = Promise.withResolvers<string>();
  const levels = createLogLevels({});
  const watched =
    flags.config === undefined
      ? undefined
      : await watchConfiguration({
          path: flags.config,
          log: createLogger({ level: levels.thresholds }),
          onChange(next, before) {
            levels.set(next.logging.levels);
            const changed = changedParts(before, next);
            if (changed.length > 0) ended.resolve(`the configuration changed: ${changed.join(", ")}`);
          },
        });
  const read = watched?.current ?? defaultConfiguration();
  const configuration = { ...read, watch: watchScopeOf(read.watch, flags) };
  levels.set(configuration.logging.levels);
  const log = createLogger({ level: levels.thresholds, format: configuration.logging.format ?? "json" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.resolve(signal));
  const { startOperator } = await import("./operator.ts");
  const operator = await startOperator({
    configuration,
    pod,
    kubeconfig: flags.kubeconfig,
    controllerNames: controllerNamesOf(configuration.controllerName, flags),
    image: flags.image,
    envoyImage: flags.envoyImage,
    rateLimitImage: flags.rateLimitImage,
    log,
  });
  log.info("Gatehouse runs", { version: readVersion(), namespace: pod.namespace, replica: pod.podName });
  log.info("stopping", { why: await ended.promise });
  watched?.stop();
  await operator.stop();
}

function defaultConfiguration(): Configuration {
  const { configuration, problems } = { configuration: undefined, ...readConfiguration(undefined) };
  if (configuration === undefined) throw new Error(`the defaults are refused: ${JSON.stringify(problems)}`);
  return configuration;
}
