import { contentHash } from "../envoy/hash.ts";
import type { ObjectStatus } from "../status/render.ts";
import { formatStatus } from "./status-text.ts";

/** A change goes through phases (staged, sent, acknowledged) within milliseconds; only the one it rests in is worth a line. */
const SETTLE_MS = 250;
/** More objects than this at once: those that are fine are counted, not listed. */
const LISTED_MAX = 25;

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
    const news: { fine: boolean; lines: readonly string[] }[] = [];
    for (const key of waiting) {
      const status = read(key);
      const before = printed.get(key);
      if (status === undefined) {
        if (printed.delete(key)) news.push({ fine: true, lines: [`gone    ${key.replace("/", " ")}`] });
        continue;
      }
      const { verdict, lines } = formatStatus(key, status);
      const text = contentHash(lines.join("\n"));
      if (text === before) continue;
      printed.set(key, text);
      news.push({ fine: verdict === "good", lines });
    }
    waiting.clear();
    const listed = news.length > LISTED_MAX ? news.filter(({ fine }) => !fine).slice(0, LISTED_MAX) : news;
    for (const { lines } of listed) for (const line of lines) print(line);
    const rest = news.length - listed.length;
    if (rest > 0) {
      const bad = news.filter(({ fine }) => !fine).length - listed.filter(({ fine }) => !fine).length;
      const judged = bad === 0 ? "all well" : `${bad} of them not as they should be`;
      print(`        and ${rest} more changed, ${judged}; \`gatehouse status\` tells more`);
    }
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
