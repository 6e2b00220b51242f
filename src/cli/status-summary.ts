import { formatNames, type StatusText, type Verdict } from "./status-text.ts";

/** What is printed of one object: its status, or that it is gone. */
export interface ObjectNews extends Pick<StatusText, "details" | "findings"> {
  readonly kind: string;
  /** `namespace/name` or `name`. */
  readonly name: string;
  readonly verdict: Verdict | "gone";
}

export interface SummaryLimits {
  /** Objects of one kind that are fine: up to so many are listed, more are only counted. */
  readonly fineMax: number;
  /** Things that are wrong: those beyond are only counted. */
  readonly wrongMax: number;
}

const marks = { good: "ok     ", noted: "note   ", pending: "pending", bad: "PROBLEM", gone: "gone   " } as const;

/** The order in which people build them; other kinds follow by name. */
const kinds = [
  "GatewayClass",
  "Gateway",
  "ListenerSet",
  "HTTPRoute",
  "GRPCRoute",
  "TLSRoute",
  "TCPRoute",
  "UDPRoute",
  "Backend",
  "BackendTLSPolicy",
];

/**
 * Explains a crowd of objects in a bounded number of lines. A cause that objects of one kind have in common, such as a Backend
 * that ten thousand routes miss, is told once, with the names of the first. O(n log n).
 */
export function summarize(news: readonly ObjectNews[], { fineMax, wrongMax }: SummaryLimits): string[] {
  const lines: string[] = [];
  let [told, untold] = [0, 0];
  for (const [kind, ofKind] of [...Map.groupBy(news, (one) => one.kind)].sort(([a], [b]) => compareKinds(a, b))) {
    const { true: fine = [], false: wrong = [] } = Object.groupBy(ofKind, ({ verdict }) => `${verdict === "good"}`);
    if (fine.length > fineMax) lines.push(`${marks.good} ${fine.length} of kind ${kind}`);
    else for (const one of fine) lines.push(formatGroup([one]));
    const groups = Map.groupBy(wrong, ({ verdict, details, findings }) => [verdict, details, ...findings].join("\n"));
    for (const group of groups.values()) {
      if (told < wrongMax)
        lines.push(formatGroup(group), ...group[0]!.findings.map((finding) => `          ${finding}`));
      else untold += group.length;
      told += 1;
    }
  }
  if (untold > 0) lines.push(`        and ${untold} more with something to tell`);
  return lines;
}

/** Objects of one kind about which the same is to be said. */
function formatGroup(group: readonly ObjectNews[]): string {
  const { verdict, kind, details } = group[0]!;
  const names = formatNames(group.map(({ name }) => name));
  return `${marks[verdict]} ${kind} ${names}${details === "" ? "" : `: ${details}`}`;
}

function compareKinds(a: string, b: string): number {
  const [left, right] = [kinds.indexOf(a), kinds.indexOf(b)];
  if (left >= 0 && right >= 0) return left - right;
  return left >= 0 || right >= 0 ? right - left : a < b ? -1 : 1;
}

/** Splits `kind/namespace/name`. */
export function splitKey(key: string): { readonly kind: string; readonly name: string } {
  const slash = key.indexOf("/");
  return { kind: key.slice(0, slash), name: key.slice(slash + 1) };
}
