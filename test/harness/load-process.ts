import { performance } from "node:perf_hooks";
import {
  FAILURES_KEPT,
  type LoadCommand,
  type LoadFailure,
  type LoadOptions,
  type LoadReport,
  type LoadTarget,
} from "./load.ts";
import { type LoadConnection, openLoadConnection } from "./load-connection.ts";
import { percentile } from "./percentile.ts";

/** How often due requests are sent; at 200 requests a second every tick sends one. */
const TICK_MS = 5;
const DEFAULT_RATE = 200;
const DEFAULT_CONNECTIONS = 20;
const DEFAULT_STATUS = 200;
const DEFAULT_LIMIT_MS = 5_000;

/** The process behind `startLoad`: an open-loop generator that obeys the parent's messages and ends with it. */
function run(options: LoadOptions): { report(): LoadReport; stop(): Promise<LoadReport> } {
  const rate = options.requestsPerSecond ?? DEFAULT_RATE;
  const limitMs = options.limitMs ?? DEFAULT_LIMIT_MS;
  const expected = options.expectedStatus ?? DEFAULT_STATUS;
  const slots: (LoadConnection | undefined)[] = new Array(options.connections ?? DEFAULT_CONNECTIONS).fill(undefined);
  const free = slots.map((_, slot) => slot);
  const queue: { dueMs: number; target: LoadTarget }[] = [];
  const latencies: number[] = [];
  const failures: LoadFailure[] = [];
  const targets = options.targets ?? [{ host: options.host ?? "localhost", path: options.path ?? "/" }];
  const startMs = performance.now();
  let [due, sent, failed, inFlight] = [0, 0, 0, 0];

  const finish = (dueMs: number, target: LoadTarget, failure?: string) => {
    const nowMs = performance.now();
    inFlight--;
    if (failure === undefined) latencies.push(nowMs - dueMs);
    else {
      failed++;
      if (failures.length < FAILURES_KEPT) failures.push({ atMs: nowMs - startMs, target, what: failure });
    }
  };
  const sendOn = async (slot: number, dueMs: number, target: LoadTarget) => {
    sent++;
    inFlight++;
    try {
      const before = slots[slot];
      const connection = before?.usable ? before : await openLoadConnection(options);
      slots[slot] = connection;
      const outcome = await answerWithin(connection, target, limitMs);
      finish(
        dueMs,
        target,
        typeof outcome === "string" ? outcome : outcome === expected ? undefined : `status ${outcome}`,
      );
    } catch (error) {
      finish(dueMs, target, String((error as NodeJS.ErrnoException).code ?? error));
    }
    free.push(slot);
    startDue();
  };
  const startDue = () => {
    while (queue.length > 0 && free.length > 0) {
      const { dueMs, target } = queue.shift()!;
      void sendOn(free.shift()!, dueMs, target);
    }
  };
  const timer = setInterval(() => {
    const count = Math.floor(((performance.now() - startMs) * rate) / 1000) + 1;
    for (; due < count; due++) {
      queue.push({ dueMs: startMs + (due * 1000) / rate, target: targets[due % targets.length]! });
    }
    startDue();
  }, TICK_MS);

  const report = (): LoadReport => {
    const sorted = Float64Array.from(latencies).sort();
    return {
      requests: sent,
      succeeded: latencies.length,
      failed,
      failures,
      latencyMs: {
        p50: percentile(sorted, 0.5),
        p90: percentile(sorted, 0.9),
        p99: percentile(sorted, 0.99),
        max: percentile(sorted, 1),
      },
    };
  };
  return {
    report,
    async stop() {
      clearInterval(timer);
      while (inFlight > 0 || queue.length > 0) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      return report();
    },
  };
}

/** The status, or what went wrong. The limit destroys the connection, so a late answer cannot be taken for the next one. */
function answerWithin(connection: LoadConnection, target: LoadTarget, limitMs: number): Promise<number | string> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      connection.destroy();
      resolve("timeout");
    }, limitMs);
    connection.ask(target, (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

let load: ReturnType<typeof run> | undefined;
process.on("disconnect", () => process.exit(0));
process.on("message", async (command: LoadCommand) => {
  switch (command.kind) {
    case "start":
      load = run(command.options);
      process.send?.({ kind: "started" });
      break;
    case "report":
      process.send?.({ kind: "report", report: load?.report() });
      break;
    case "stop":
      process.send?.({ kind: "report", report: await load?.stop() });
      break;
  }
});
