import winston from "winston";

export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];
/** The least severe lines that are written. */
export type LogThreshold = LogLevel | "off";
/** The threshold of a part of the program; undefined: of lines that belong to none. Asked for each line, so it may change. */
export type LogThresholds = (component: string | undefined) => LogThreshold;

/** Values beside the message. Never a secret. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What the project needs of a logger; tests pass a record of functions. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger that adds the fields to each of its lines. The field `component` names the part of the program. */
  with(fields: LogFields): Logger;
}

export interface LogOptions {
  readonly level: LogThreshold | LogThresholds;
  /** Default: `text` when the stream is a terminal, else `json`. */
  readonly format?: "json" | "text";
  /** Default: standard error, so that standard output holds only what a command was asked for. */
  readonly stream?: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** A logger over winston: one JSON object a line for machines, `12:00:00 warn  message key=value` for people. */
export function createLogger(options: LogOptions): Logger {
  const stream = options.stream ?? process.stderr;
  const format = options.format ?? (stream.isTTY ? "text" : "json");
  const { combine, timestamp, printf, json } = winston.format;
  const { level } = options;
  const logger = winston.createLogger({
    level: "debug",
    format:
      format === "json"
        ? combine(timestamp(), json())
        : combine(
            timestamp({ format: "HH:mm:ss" }),
            printf((line) => formatLine(line, stream.isTTY === true)),
          ),
    transports: [new winston.transports.Stream({ stream })],
  });
  return bind(logger, {}, typeof level === "function" ? level : () => level);
}

function bind(logger: winston.Logger, bound: LogFields, thresholds: LogThresholds): Logger {
  const component = typeof bound["component"] === "string" ? bound["component"] : undefined;
  const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (!isWritten(level, thresholds(component))) return;
    logger.log(level, message, { ...bound, ...fields });
  };
  return {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    with: (fields) => bind(logger, { ...bound, ...fields }, thresholds),
  };
}

function isWritten(level: LogLevel, threshold: LogThreshold): boolean {
  return threshold !== "off" && logLevels.indexOf(level) <= logLevels.indexOf(threshold);
}

const colours: Readonly<Record<string, string>> = { error: "\x1b[31m", warn: "\x1b[33m", info: "\x1b[32m" };
const LEVEL_WIDTH = 5;

function formatLine(line: winston.Logform.TransformableInfo, coloured: boolean): string {
  const { level, message, timestamp, ...fields } = line;
  const padded = level.padEnd(LEVEL_WIDTH);
  const shown = coloured && colours[level] !== undefined ? `${colours[level]}${padded}\x1b[0m` : padded;
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${formatValue(value)}`);
  return [timestamp, shown, message, ...rest].join(" ");
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  return typeof value === "string" && /^[\w./:@*-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Drops every line. */
export const silentLogger: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  with: () => silentLogger,
};
