import { contentHash } from "../envoy/hash.ts";
import type { ObjectStatus } from "../status/render.ts";
import { type ObjectNews, splitKey, summarize } from "./status-summary.ts";
import { formatStatus } from "./status-text.ts";

/** A change goes through phases (staged, sent, acknowledged) within milliseconds; only the one it rests in is worth a line. */
const SETTLE_MS = 250;
/** What changes at once is told on one screen; `gatehouse status` tells all. */
const LIMITS = { fineMax: 25, wrongMax: 10 };

export interface StatusPrinter {
  /** These objects have other statuses now. */
  changed(keys: Iterable<string>): void;
  /** Prints at once what waits. Before the first call nothing is printed: a start goes through states that mean nothing. */
  flush(): void;
  /** For good. */
  stop(): void;
}

/**
 * Prints statuses when they change, each only when it reads differently from when it was last printed.
 *
 * @param read the status of now; undefined: the object is gone
 */
export function createStatusPrinter(
  read: (key: string) => ObjectStatus | undefined,
  print: (line: string) => void,
): StatusPrinter {
  /** By hash: of ten thousand objects the texts themselves would be the largest thing kept here. */
  const printed = new Map<string, string>();
  const waiting = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let phase: "starting" | "printing" | "stopped" = "starting";

  function flush(): void {
    if (phase === "stopped") return;
    phase = "printing";
    clearTimeout(timer);
    timer = undefined;
    const news: ObjectNews[] = [];
    for (const key of waiting) {
      const status = read(key);
      if (status === undefined) {
        if (printed.delete(key)) news.push({ ...splitKey(key), verdict: "gone", details: "", findings: [] });
        continue;
      }
      const text = formatStatus(status);
      const hash = contentHash([text.verdict, text.details, ...text.findings].join("\n"));
      if (hash === printed.get(key)) continue;
      printed.set(key, hash);
      news.push({ ...splitKey(key), ...text });
    }
    waiting.clear();
    for (const line of summarize(news, LIMITS)) print(line);
  }

  return {
    changed(keys) {
      for (const key of keys) waiting.add(key);
      if (phase === "printing") timer ??= setTimeout(flush, SETTLE_MS);
    },
    flush,
    stop() {
      phase = "stopped";
      clearTimeout(timer);
    },
  };
}
