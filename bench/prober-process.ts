import {
  hasHeader,
  openRawConnection,
  type RawAnswer,
  type RawConnection,
  rawRequest,
} from "../test/harness/raw-connection.ts";
import { serve } from "./worker.ts";

/**
 * Pause between two polls. With the poll itself it is the granularity of every latency, and it keeps the prober at a tenth of a
 * core. Slept on a futex, because a Node timer cannot be shorter than a millisecond.
 */
const POLL_PAUSE_MS = 0.35;
/** A listener that is not there yet refuses connections: no reason to hurry. */
const CONNECT_PAUSE_MS = 5;

export interface Watch {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  /** The answer waited for. */
  readonly status: number;
  readonly header?: { readonly name: string; readonly value: string };
  /** Set: the request is a POST with so many bytes. */
  readonly postsBytes?: number;
  readonly limitMs: number;
}

/** The same question about many places. */
export interface Sweep {
  readonly port: number;
  readonly places: readonly { readonly host: string; readonly path: string }[];
  readonly status: number;
  readonly postsBytes?: number;
  readonly limitMs: number;
}

export interface SweepSighting {
  /** When the first and the last place gave the answer as wanted. */
  readonly firstNs: bigint;
  readonly lastNs: bigint;
}

export interface Sighting {
  /** When the first answer as wanted arrived, by the monotonic clock that all processes share. */
  readonly atNs: bigint;
  readonly polls: number;
  /** Longest time between two polls: how exact the sighting is. */
  readonly longestGapMs: number;
  /** Answers that were neither the old nor the wanted status; a configuration change must not cause any. */
  readonly odd: readonly string[];
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));
const connections = new Map<number, RawConnection>();
let current: Promise<Sighting> | undefined;

async function poll(watch: Watch, onFirst: () => void): Promise<Sighting> {
  const request = requestOf(watch, watch.postsBytes);
  const deadline = performance.now() + watch.limitMs;
  const odd: string[] = [];
  let [polls, longestGapMs, lastMs] = [0, 0, performance.now()];
  let oldStatus: number | undefined;
  for (;;) {
    const answer = await ask(watch.port, request);
    const atNs = process.hrtime.bigint();
    const nowMs = performance.now();
    if (typeof answer !== "string") {
      polls++;
      if (polls > 1) longestGapMs = Math.max(longestGapMs, nowMs - lastMs);
      lastMs = nowMs;
      if (isWanted(answer, watch)) return { atNs, polls, longestGapMs, odd };
      oldStatus ??= answer.status;
      if (answer.status !== oldStatus && answer.status !== watch.status) odd.push(`status ${answer.status}`);
      onFirst();
    } else if (polls > 0) odd.push(answer);
    if (nowMs > deadline) {
      throw new Error(
        `${watch.host}${watch.path} did not answer ${watch.status} ${JSON.stringify(watch.header ?? {})} ` +
          `in ${watch.limitMs} ms; last: ${typeof answer === "string" ? answer : answer.head}`,
      );
    }
    Atomics.wait(sleeper, 0, 0, typeof answer === "string" ? CONNECT_PAUSE_MS : POLL_PAUSE_MS);
  }
}

/** Asks one place after the other until each has given the answer. */
async function sweep({ port, places, status, postsBytes, limitMs }: Sweep): Promise<SweepSighting> {
  let waiting = places.map((place) => requestOf(place, postsBytes));
  let firstNs: bigint | undefined;
  const deadline = performance.now() + limitMs;
  for (;;) {
    const left: string[] = [];
    for (const request of waiting) {
      const answer = await ask(port, request);
      if (typeof answer === "string" || answer.status !== status) left.push(request);
      else firstNs ??= process.hrtime.bigint();
      // From the first on it is a matter of milliseconds.
      if (firstNs === undefined) Atomics.wait(sleeper, 0, 0, POLL_PAUSE_MS);
    }
    const lastNs = process.hrtime.bigint();
    if (left.length === 0) return { firstNs: firstNs ?? lastNs, lastNs };
    if (performance.now() > deadline)
      throw new Error(`${left.length} places did not answer ${status} in ${limitMs} ms`);
    waiting = left;
  }
}

function requestOf({ host, path }: { readonly host: string; readonly path: string }, postsBytes?: number): string {
  if (postsBytes === undefined) return rawRequest(host, path);
  return `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${postsBytes}\r\n\r\n${"x".repeat(postsBytes)}`;
}

function isWanted(answer: RawAnswer, { status, header }: Watch): boolean {
  return answer.status === status && (header === undefined || hasHeader(answer, header.name, header.value));
}

async function ask(port: number, request: string): Promise<RawAnswer | string> {
  let connection = connections.get(port);
  if (connection === undefined || !connection.usable) {
    try {
      connection = await openRawConnection(port);
    } catch (error) {
      return String(error);
    }
    connections.set(port, connection);
  }
  return new Promise((resolve) => connection.send(request, resolve));
}

const methods = {
  sweep,
  /** Polls until the wanted answer. */
  wait: (watch: Watch): Promise<Sighting> => poll(watch, () => {}),
  /** Starts polling; returns after the first answer, which must be another than the wanted one. */
  start: (watch: Watch): Promise<void> =>
    new Promise((resolve, reject) => {
      current = poll(watch, resolve);
      current.then(() => resolve(), reject);
    }),
  /** The end of the poll that `start` began. */
  finish: (_: undefined): Promise<Sighting> => current ?? Promise.reject(new Error("nothing is being watched")),
};
export type ProberMethods = typeof methods;

serve(methods);
