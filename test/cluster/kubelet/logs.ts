import { EventEmitter } from "node:events";
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";

export interface LogLine {
  /** RFC 3339. */
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

export interface LogQuery {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly limitBytes: number | undefined;
}

/** Everything that the running, or last, process has written. */
export const WHOLE_LOG: LogQuery = {
  follow: false,
  previous: false,
  timestamps: false,
  tailLines: undefined,
  since: undefined,
  limitBytes: undefined,
};

/** The output of one container over all its restarts. */
export interface ContainerLog {
  /** A new process begins; what the last one wrote becomes the previous log. */
  begin(): void;
  write(stream: "stdout" | "stderr", chunk: Buffer): void;
  /** The process has ended: followers are told. */
  end(): void;
  /** Hands over the lines that match; ends at once, or with the process when following. */
  read(query: LogQuery, onLine: (line: string) => void, signal: AbortSignal): Promise<void>;
  remove(): void;
}

/** As the kubelet's `containerLogMaxSize`; one older part is kept beside. */
const PART_MAX_BYTES = 10 * 1024 * 1024;
const LINE_MAX_CHARACTERS = 16 * 1024;

/** Lines are kept as `TIME STREAM F TEXT`, the format of the Container Runtime Interface. */
export function createContainerLog(folder: string): ContainerLog {
  const current = join(folder, "current.log");
  const rotated = join(folder, "rotated.log");
  const previous = join(folder, "previous.log");
  const events = new EventEmitter().setMaxListeners(0);
  const open = { stdout: "", stderr: "" };
  // A character may come in two parts.
  const decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  let running = false;
  let size = 0;
  mkdirSync(folder, { recursive: true });

  const append = (lines: readonly LogLine[]) => {
    if (lines.length === 0) return;
    const text = lines.map((line) => `${line.time} ${line.stream} F ${line.text}\n`).join("");
    appendFileSync(current, text);
    size += text.length;
    if (size > PART_MAX_BYTES) {
      renameSync(current, rotated);
      size = 0;
    }
    for (const line of lines) events.emit("line", line);
  };

  return {
    begin() {
      if (existsSync(current)) renameSync(current, previous);
      rmSync(rotated, { force: true });
      size = 0;
      running = true;
    },
    write(stream, chunk) {
      const time = new Date().toISOString();
      const parts = (open[stream] + decoders[stream].write(chunk)).split("\n");
      const rest = parts.pop()!;
      const tooLong = rest.length > LINE_MAX_CHARACTERS;
      if (tooLong) parts.push(rest);
      open[stream] = tooLong ? "" : rest;
      append(parts.map((text) => ({ time, stream, text })));
    },
    end() {
      const time = new Date().toISOString();
      for (const stream of ["stdout", "stderr"] as const) {
        if (open[stream] !== "") append([{ time, stream, text: open[stream] }]);
        open[stream] = "";
      }
      running = false;
      events.emit("end");
    },
    async read(query, onLine, signal) {
      const format = (line: LogLine) => (query.timestamps ? `${line.time} ${line.text}\n` : `${line.text}\n`);
      const since = query.since;
      const wanted = (line: LogLine) => since === undefined || Date.parse(line.time) >= since;
      const files = query.previous ? [previous] : [rotated, current];
      let lines = files.flatMap(readLines).filter(wanted);
      if (query.tailLines !== undefined) lines = lines.slice(Math.max(0, lines.length - query.tailLines));
      let left = query.limitBytes ?? Number.POSITIVE_INFINITY;
      const send = (line: LogLine) => {
        const text = format(line).slice(0, left);
        left -= text.length;
        if (text !== "") onLine(text);
      };
      lines.forEach(send);
      if (!query.follow || query.previous || !running) return;
      await new Promise<void>((resolve) => {
        events.on("line", send);
        events.once("end", resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      events.off("line", send);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function readLines(path: string): LogLine[] {
  if (!existsSync(path) || statSync(path).size === 0) return [];
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const [time = "", stream = "stdout"] = line.split(" ", 2);
    return { time, stream: stream as LogLine["stream"], text: line.slice(time.length + stream.length + 4) };
  });
}
