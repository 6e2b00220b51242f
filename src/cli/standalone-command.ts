import { type RequestHint, suggestRequests } from "./request-hints.ts";
import { type Standalone, type StandaloneOptions, startStandalone } from "./standalone.ts";

/** Starts, tells where everything is, and resolves when a signal has ended it. */
export async function runStandalone(options: StandaloneOptions, print: (line: string) => void): Promise<void> {
  const signals = watchSignals(print);
  const standalone = await startStandalone(options, print);
  if (options.runEnvoy) print("waiting for Envoy to take its configuration ...");
  await Promise.race([standalone.settled(), signals.first]);
  if (!signals.hasCome()) welcome(standalone, print);
  await signals.first;
  await standalone.stop(signals.hurry);
  print("stopped");
}

interface Signals {
  readonly first: Promise<void>;
  readonly hasCome: () => boolean;
  /** Aborted by the second signal. */
  readonly hurry: AbortSignal;
}

/** First signal: stop with draining. Second: at once. Third: whatever the state. */
function watchSignals(print: (line: string) => void): Signals {
  const hurry = new AbortController();
  let count = 0;
  const { promise: first, resolve } = Promise.withResolvers<void>();
  const onSignal = () => {
    count += 1;
    if (count === 1) {
      print("stopping: requests that are under way may finish; once more to stop at once");
      resolve();
    } else if (count === 2) hurry.abort();
    else process.exit(1);
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  return { first, hasCome: () => count > 0, hurry: hurry.signal };
}

/** Gateways whose addresses the start tells. */
const GATEWAYS_TOLD_MAX = 10;

function describeHint({ gateway, urls, moved, curls }: RequestHint): string[] {
  if (urls.length === 0) return [`Gateway ${gateway} serves no port yet`];
  return [
    `Gateway ${gateway} is at ${urls.join(" ")}`,
    ...moved.map(({ port, bindPort }) => `  port ${port} is served on ${bindPort}: ports below 1024 need root here`),
    ...curls.map((curl) => `  try:  ${curl}`),
  ];
}

function welcome(standalone: Standalone, print: (line: string) => void): void {
  const hints = suggestRequests(standalone.control.reports.values());
  print("");
  for (const hint of hints.slice(0, GATEWAYS_TOLD_MAX)) for (const line of describeHint(hint)) print(line);
  if (hints.length > GATEWAYS_TOLD_MAX) print(`and ${hints.length - GATEWAYS_TOLD_MAX} more Gateways`);
  if (hints.length === 0) print("no Gateway of a class of Gatehouse is there yet; files are watched");
  print(`Admin: http://127.0.0.1:${standalone.adminPort}/status  (also /config /metrics)`);
  print("Edit a file and it is in effect at once. Ctrl-C stops.");
}
