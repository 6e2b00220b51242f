import { percentile } from "../test/harness/percentile.ts";
import { openRawTlsConnection, type RawConnection, rawRequest } from "../test/harness/raw-connection.ts";
import { pause } from "../test/harness/waiting.ts";
import { serve } from "./worker.ts";

/** How often what is due is sent. */
const TICK_MS = 2;
const POLL_PAUSE_MS = 5;
const EXAMPLES_KEPT = 5;

/** A server name, and to whom its certificate was issued. */
export interface TrafficTarget {
  readonly serverName: string;
  readonly certificateName: string;
}

export interface TrafficOptions {
  readonly port: number;
  /** A connection each, for as long as the traffic lasts. */
  readonly targets: readonly TrafficTarget[];
  /** Over all connections, which take turns. */
  readonly requestsPerSecond: number;
}

/** What long-lived connections went through since the last report. */
export interface TrafficReport {
  readonly requests: number;
  /** Closed, reset or told to close. */
  readonly dropped: number;
  /** Answers other than 200. */
  readonly failed: number;
  /** From the moment a request was due. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** The first of what was dropped or failed. */
  readonly examples: readonly string[];
}

interface Line {
  readonly target: TrafficTarget;
  connection: RawConnection | undefined;
}

let lines: Line[] = [];
let port = 0;
let timer: NodeJS.Timeout | undefined;
let latencies: number[] = [];
let [dropped, failed, inFlight] = [0, 0, 0];
let examples: string[] = [];

async function open(line: Line): Promise<void> {
  const { serverName, certificateName } = line.target;
  const { connection, certificateName: shown } = await openRawTlsConnection(port, serverName);
  if (shown !== certificateName) throw new Error(`${serverName} shows the certificate of ${shown}`);
  line.connection = connection;
}

function note(what: string): void {
  if (examples.length < EXAMPLES_KEPT) examples.push(what);
}

function drop(line: Line, why: string): void {
  dropped++;
  note(`${line.target.serverName}: ${why}`);
  line.connection = undefined;
  open(line).catch((error) => note(`${line.target.serverName} again: ${error}`));
}

function send(line: Line, dueMs: number): void {
  const { connection, target } = line;
  // A connection that is being opened again was counted when it was lost.
  if (connection === undefined || connection.busy) return;
  inFlight++;
  connection.send(rawRequest(target.serverName, "/"), (answer) => {
    inFlight--;
    latencies.push(performance.now() - dueMs);
    if (typeof answer === "string") return drop(line, answer);
    if (answer.status !== 200) {
      failed++;
      note(`${target.serverName}: status ${answer.status}`);
    }
    if (answer.closes) drop(line, "told to close");
  });
}

function begin(requestsPerSecond: number): void {
  const startMs = performance.now();
  let sent = 0;
  timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) * requestsPerSecond) / 1_000);
    for (; sent < due; sent++) send(lines[sent % lines.length]!, startMs + (sent * 1_000) / requestsPerSecond);
  }, TICK_MS);
}

function takeReport(): TrafficReport {
  const sorted = latencies.sort((a, b) => a - b);
  const latencyMs = { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: percentile(sorted, 1) };
  const report = { requests: sorted.length, dropped, failed, latencyMs, examples };
  [latencies, dropped, failed, examples] = [[], 0, 0, []];
  return report;
}

export interface NameWatch extends TrafficTarget {
  readonly port: number;
  /** `served`: shaken hands with the right certificate, and 200; `refused`: no hands are shaken. */
  readonly wanted: "served" | "refused";
  readonly limitMs: number;
}

/** Whether a fresh connection is served; a text says why it is not. */
async function tryName({ port, serverName, certificateName }: NameWatch): Promise<true | string> {
  let opened: Awaited<ReturnType<typeof openRawTlsConnection>>;
  try {
    opened = await openRawTlsConnection(port, serverName);
  } catch (error) {
    return `refused: ${error}`;
  }
  try {
    if (opened.certificateName !== certificateName) return `the certificate of ${opened.certificateName}`;
    const answer = await new Promise<{ status: number } | string>((resolve) =>
      opened.connection.send(rawRequest(serverName, "/"), resolve),
    );
    if (typeof answer === "string") return answer;
    return answer.status === 200 || `status ${answer.status}`;
  } finally {
    opened.connection.destroy();
  }
}

const methods = {
  /** Opens all connections, then lets them talk. */
  async start(options: TrafficOptions): Promise<void> {
    port = options.port;
    lines = options.targets.map((target) => ({ target, connection: undefined }));
    for (const line of lines) await open(line);
    begin(options.requestsPerSecond);
  },
  /** What happened since the last report; the traffic goes on. */
  report: (_: undefined): TrafficReport => takeReport(),
  /** The last report, when the requests in flight are answered. */
  async stop(_: undefined): Promise<TrafficReport> {
    clearInterval(timer);
    for (let waits = 0; inFlight > 0 && waits < 500; waits++) await pause(10);
    for (const { connection } of lines) connection?.destroy();
    return takeReport();
  },
  /** Tries the name until it is as wanted; when that was, by the monotonic clock of all processes. */
  async watch(watch: NameWatch): Promise<bigint> {
    const deadline = performance.now() + watch.limitMs;
    for (;;) {
      const outcome = await tryName(watch);
      const isRefused = typeof outcome === "string" && outcome.startsWith("refused");
      if (watch.wanted === "served" ? outcome === true : isRefused) return process.hrtime.bigint();
      if (performance.now() > deadline) {
        throw new Error(`${watch.serverName} is not ${watch.wanted} after ${watch.limitMs} ms; last: ${outcome}`);
      }
      await pause(POLL_PAUSE_MS);
    }
  },
};
export type TenantTrafficMethods = typeof methods;

serve(methods);
