import { readFile } from "node:fs/promises";
import { type FieldProblem, formatPath } from "../api/field.ts";
import type { Logger } from "../base/log.ts";
import { createLocator, readYaml } from "../inputs/files/yaml-text.ts";
import { type Configuration, readConfiguration } from "./config.ts";

/**
 * How often the file is looked at. Reading it is the one way that sees every kind of change: an editor's rename, a ConfigMap's
 * swapped link, a network file system; and it is a few kilobytes.
 */
const LOOK_EVERY_MS = 1_000;
/** Far more than any configuration; stops a mistaken path from filling the memory. */
const FILE_MAX_CHARACTERS = 1 << 20;

/** `path:line:column: field: what is wrong`, one for each. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/**
 * Reads a configuration file.
 *
 * @throws ConfigurationError that lists everything that is wrong with it
 */
export async function loadConfiguration(path: string): Promise<Configuration> {
  return parseConfiguration(path, await readText(path));
}

/** @throws ConfigurationError */
export function parseConfiguration(path: string, text: string): Configuration {
  if (text.length > FILE_MAX_CHARACTERS) throw new ConfigurationError([`${path}: is too long to be a configuration`]);
  const yaml = readYaml(text);
  if (yaml.problems !== undefined) {
    const lines = yaml.problems.map(({ line, column, message }) => `${path}:${line}:${column}: ${message}`);
    throw new ConfigurationError(lines);
  }
  const { configuration, problems } = { configuration: undefined, ...readConfiguration(yaml.value) };
  if (configuration !== undefined) return configuration;
  throw new ConfigurationError(describeProblems(path, text, problems ?? []));
}

function describeProblems(path: string, text: string, problems: readonly FieldProblem[]): string[] {
  const locate = createLocator(text);
  return problems.map((problem) => {
    const { line, column } = locate(problem.path);
    const field = problem.path.length === 0 ? "" : `${formatPath(problem.path)}: `;
    return `${path}:${line}:${column}: ${field}${problem.message}`;
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new ConfigurationError([`the configuration file ${path} cannot be read: ${(error as Error).message}`]);
  }
}

/** A configuration that follows its file. */
export interface WatchedConfiguration {
  readonly current: Configuration;
  stop(): void;
}

export interface WatchConfigurationOptions {
  readonly path: string;
  readonly log: Logger;
  /** Called with every configuration that differs from the last. */
  readonly onChange: (configuration: Configuration, before: Configuration) => void;
  readonly lookEveryMilliseconds?: number;
}

/**
 * Loads the file and follows it. A change that is wrong is told in the log, and the last good configuration stays.
 *
 * @throws ConfigurationError when the file is wrong at the start
 */
export async function watchConfiguration(options: WatchConfigurationOptions): Promise<WatchedConfiguration> {
  const { path, log, onChange, lookEveryMilliseconds = LOOK_EVERY_MS } = options;
  let taken = await readText(path);
  let seen = taken;
  let current = parseConfiguration(path, taken);
  let missing = false;
  let stopped = false;

  async function look(): Promise<void> {
    const text = await readText(path).catch((error: ConfigurationError) => error);
    if (stopped) return;
    if (text instanceof ConfigurationError) {
      if (!missing) log.warn("the configuration file is gone; what it said last stays", { error: text.message });
      missing = true;
    } else {
      missing = false;
      // One that is being written is half a file, or an empty one: what counts reads the same twice.
      if (text !== taken && text === seen) take(text);
      seen = text;
    }
    timer = setTimeout(look, lookEveryMilliseconds);
  }

  function take(text: string): void {
    taken = text;
    try {
      const before = current;
      const next = parseConfiguration(path, text);
      if (JSON.stringify(next) === JSON.stringify(before)) return;
      current = next;
      onChange(next, before);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      log.error("the changed configuration file is refused; what it said before stays", { problems: error.problems });
    }
  }

  let timer = setTimeout(look, lookEveryMilliseconds);
  return {
    get current() {
      return current;
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/**
 * The parts in which two configurations differ and that take effect only when everything is built anew; logging does at once.
 */
export function changedParts(before: Configuration, after: Configuration): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof Configuration>;
  names.delete("logging");
  return [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name])).sort();
}
