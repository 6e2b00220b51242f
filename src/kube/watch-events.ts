import type { Readable } from "node:stream";
import type { KubeObject } from "./resource-type.ts";

/** One line of a watch. An `ERROR` carries a `Status`, a `BOOKMARK` an object with nothing but a resourceVersion. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubeObject;
}

/** Why a watch ended. */
export type WatchEnd =
  /** By the server, between two lines or inside one. */
  | { readonly by: "server" }
  /** The connection broke. */
  | { readonly by: "failure"; readonly why: string }
  /** Nothing came for longer than a server stays silent. */
  | { readonly by: "silence" }
  /** A whole line that is no event: nothing after it can be trusted. */
  | { readonly by: "garbage"; readonly why: string }
  /** By the signal, or by what was done with an event. */
  | { readonly by: "caller" };

const eventTypes: ReadonlySet<string> = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]);

/** The largest object that etcd takes is 1.5 MB by default; as JSON with its managedFields it is a few times that. */
const LINE_MAX_BYTES = 32 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Reads the events of a watch until it ends, a chunk's whole lines at a time. What follows the last line break is dropped: an event that did not
 * arrive whole did not arrive.
 *
 * @param idleMilliseconds after so long without a byte the connection counts as dead
 * @param onEvents called in order; false ends the watch. Must not throw.
 */
export async function readWatch(
  stream: Readable,
  { idleMilliseconds, signal }: { readonly idleMilliseconds: number; readonly signal: AbortSignal },
  onEvents: (events: readonly WatchEvent[]) => boolean,
): Promise<WatchEnd> {
  let end: WatchEnd | undefined;
  const idle = setTimeout(() => {
    end ??= { by: "silence" };
    stream.destroy();
  }, idleMilliseconds);
  try {
    const lines = createLineSplitter();
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (end !== undefined || signal.aborted) break;
      idle.refresh();
      const events: WatchEvent[] = [];
      for (const line of lines.add(chunk)) {
        const event = readEvent(line);
        if (typeof event === "string") {
          end = { by: "garbage", why: event };
          break;
        }
        if (event !== undefined) events.push(event);
      }
      if (events.length > 0 && !onEvents(events)) end ??= { by: "caller" };
      if (lines.length > LINE_MAX_BYTES)
        end = { by: "garbage", why: `a line is longer than ${LINE_MAX_BYTES >> 20} MB` };
      if (end !== undefined) break;
    }
  } catch (error) {
    end ??= { by: "failure", why: error instanceof Error ? error.message || error.name : String(error) };
  } finally {
    clearTimeout(idle);
    stream.destroy();
  }
  return signal.aborted ? { by: "caller" } : (end ?? { by: "server" });
}

interface LineSplitter {
  /** The lines that are whole now. */
  add(chunk: Buffer): readonly string[];
  /** Bytes held of a line that is not whole. */
  readonly length: number;
}

function createLineSplitter(): LineSplitter {
  let rest: Buffer[] = [];
  let restLength = 0;
  return {
    add(chunk) {
      const lines: string[] = [];
      let start = 0;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
        const part = chunk.subarray(start, at);
        // Joined before it is decoded: a character's bytes may lie in two chunks.
        lines.push((restLength === 0 ? part : Buffer.concat([...rest, part])).toString("utf8"));
        rest = [];
        restLength = 0;
        start = at + 1;
      }
      if (start < chunk.length) {
        rest.push(chunk.subarray(start));
        restLength += chunk.length - start;
      }
      return lines;
    },
    get length() {
      return restLength;
    },
  };
}

/** Undefined for a blank line, a sentence for one that is no event. */
function readEvent(line: string): WatchEvent | undefined | string {
  if (line.trim() === "") return undefined;
  let event: Partial<WatchEvent> | null;
  try {
    event = JSON.parse(line) as Partial<WatchEvent> | null;
  } catch {
    return "a line is not JSON";
  }
  if (typeof event !== "object" || event === null || !eventTypes.has(event.type ?? "")) return "a line is no event";
  const { type, object } = event;
  if (typeof object !== "object" || object === null) return `an event ${type} has no object`;
  if (type === "ERROR") return event as WatchEvent;
  const { metadata } = object;
  const named = type === "BOOKMARK" || typeof metadata?.name === "string";
  return named && metadata?.resourceVersion
    ? (event as WatchEvent)
    : `an event ${type} has no name or no resourceVersion`;
}
