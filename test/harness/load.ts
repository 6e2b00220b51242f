import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const START_LIMIT_MS = 10_000;
const STOP_LIMIT_MS = 15_000;

export interface LoadOptions {
  /** Default 127.0.0.1. */
  readonly address?: string;
  readonly port: number;
  /** Used in turn, one for every request; or the one target of `host` and `path`. */
  readonly targets?: readonly LoadTarget[];
  readonly host?: string;
  /** Default `/`. */
  readonly path?: string;
  /** Default 200. */
  readonly requestsPerSecond?: number;
  /** Connections, used in turn, each for one request at a time; default 20. */
  readonly connections?: number;
  /** Default `keep-alive`, of HTTP/1.1; `http2` is without TLS. */
  readonly style?: "keep-alive" | "new-connections" | "http2";
  /** Default 200. */
  readonly expectedStatus?: number;
  /** A request without a complete answer after this is a failure; default 5,000. */
  readonly limitMs?: number;
}

export interface LoadTarget {
  readonly host: string;
  readonly path: string;
}

export interface LoadFailure {
  /** Milliseconds since the start of the load. */
  readonly atMs: number;
  readonly target: LoadTarget;
  /** Such as `status 503`, `connection reset`, `timeout`. */
  readonly what: string;
}

export interface LoadReport {
  readonly requests: number;
  readonly succeeded: number;
  readonly failed: number;
  /** The first {@link FAILURES_KEPT} of them. */
  readonly failures: readonly LoadFailure[];
  /** Counted from the moment the request was due, so that waiting for a stalled server is not left out. */
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
}

export const FAILURES_KEPT = 100;

export interface Load {
  /** Figures so far; the load goes on. */
  report(): Promise<LoadReport>;
  /** Ends after the requests in flight have their answer or their limit. */
  stop(): Promise<LoadReport>;
}

/** Messages to and from the process of `load-process.ts`. */
export type LoadCommand =
  | { readonly kind: "start"; readonly options: LoadOptions }
  | { readonly kind: "report" }
  | { readonly kind: "stop" };
export type LoadMessage = { readonly kind: "started" } | { readonly kind: "report"; readonly report: LoadReport };

/**
 * Sends requests at a steady rate from a process of its own. A request is never repeated: a connection that breaks under
 * one, or breaks while idle at the moment of use, is a failure as a user would see it.
 */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const child = fork(fileURLToPath(new URL("./load-process.ts", import.meta.url)), { execArgv: [] });
  const ask = <K extends LoadMessage["kind"]>(command: LoadCommand, kind: K, limitMs: number) =>
    new Promise<Extract<LoadMessage, { kind: K }>>((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        child.off("message", receive);
        child.off("exit", ended);
      };
      const receive = (message: LoadMessage) => {
        if (message.kind !== kind) return;
        finish();
        resolve(message as Extract<LoadMessage, { kind: K }>);
      };
      const ended = (code: number | null) => {
        finish();
        reject(new Error(`the load process ended with ${code}`));
      };
      const timer = setTimeout(() => {
        finish();
        child.kill("SIGKILL");
        reject(new Error(`the load process did not answer "${command.kind}" in ${limitMs} ms`));
      }, limitMs);
      child.on("message", receive);
      child.once("exit", ended);
      child.send(command);
    });
  await ask({ kind: "start", options }, "started", START_LIMIT_MS);
  return {
    report: async () => (await ask({ kind: "report" }, "report", STOP_LIMIT_MS)).report,
    async stop() {
      const { report } = await ask({ kind: "stop" }, "report", STOP_LIMIT_MS);
      child.kill();
      return report;
    },
  };
}
