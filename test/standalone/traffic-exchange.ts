import { expect } from "@jest/globals";
import type { ReceivedRequest } from "../harness/backend.ts";
import { callUnary } from "../harness/grpc.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import type { Exchange, Headers } from "./traffic-cases.ts";
import type { TrafficWorld } from "./traffic-world.ts";
import type { Answer } from "./world.ts";

/** Requests of one exchange that are under way at the same time. */
const CONCURRENCY = 10;
/** A share is met when it is this close: more than four standard deviations at 300 requests. */
const SHARE_TOLERANCE = 0.12;
/** How long a copy of a request that must not come is waited for. */
const SURPLUS_MS = 50;

/** Marks the requests of one exchange, so that those that reach other backends are told apart. */
const TRACE_HEADER = "x-trace";
let exchanges = 0;

/** Sends what the exchange says and compares the answer with what it expects. */
export async function carryOut(exchange: Exchange, host: string, world: TrafficWorld): Promise<void> {
  if (exchange.call === undefined) await request(exchange, host, world);
  else await call(exchange, exchange.call, host, world.port);
}

async function call(
  { code = "OK", backend, received, headers }: Exchange,
  { method, headers: sent }: NonNullable<Exchange["call"]>,
  host: string,
  port: number,
): Promise<void> {
  const outcome = await callUnary({ port, host, method, ...(sent && { headers: sent }) });
  expect({
    code: outcome.code,
    backend: outcome.received?.backend,
    received: received && select(outcome.received?.headers ?? {}, received.headers ?? {}),
    headers: headers && select(outcome.headers, headers),
  }).toEqual({
    code,
    backend,
    received: received?.headers && patterns(received.headers),
    headers: headers && patterns(headers),
  });
}

async function request(exchange: Exchange, host: string, world: TrafficWorld): Promise<void> {
  const trace = `exchange-${exchanges++}`;
  const { send } = exchange;
  const started = performance.now();
  const ask = () =>
    world.send({
      host: send.host ?? host,
      path: send.path ?? "/",
      headers: { ...send.headers, [TRACE_HEADER]: trace },
      ...(send.method !== undefined && { method: send.method }),
      ...(send.body !== undefined && { body: send.body }),
      ...(send.http !== undefined && { http: send.http }),
      ...(send.tls && { port: world.httpsPort, tls: { servername: send.host ?? host } }),
    });
  const receivedBy = (name: string) =>
    world.backends.get(name)?.received.filter(({ headers }) => headers[TRACE_HEADER] === trace) ?? [];
  const count = (name: string) => receivedBy(name).length;
  if (exchange.share !== undefined) {
    const answers = await repeat(ask, send.times ?? 1);
    expectShares(exchange.share, countAnswers(answers), answers.length);
    const copies = new Map(Object.keys(exchange.copied ?? {}).map((name) => [name, count(name)]));
    return expectShares(exchange.copied ?? {}, copies, answers.length);
  }
  const answer = await ask();
  const seconds = (performance.now() - started) / 1000;
  expect(describeAnswer(answer, exchange)).toEqual(describeExpectation(exchange));
  if (exchange.seconds !== undefined) {
    expect(seconds).toBeGreaterThanOrEqual(exchange.seconds[0]);
    expect(seconds).toBeLessThanOrEqual(exchange.seconds[1]);
  }
  for (const [name, wanted] of Object.entries(exchange.reached ?? {})) {
    await waitFor(`${wanted} requests at ${name}`, () => count(name) >= wanted);
    await pause(SURPLUS_MS);
    expect({ [name]: count(name) }).toEqual({ [name]: wanted });
    // A copy is to look like the request that the backend answered.
    for (const received of receivedBy(name)) {
      expect(describeReceived(received, exchange.received)).toEqual(describeExpectation(exchange).received);
    }
  }
}

async function repeat(ask: () => Promise<Answer>, times: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  let left = times;
  const lane = async () => {
    while (left-- > 0) answers.push(await ask());
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return answers;
}

/** By the name of the backend that answered, else by status. */
function countAnswers(answers: readonly Answer[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { status, received } of answers) {
    const who = received?.backend ?? String(status);
    counts.set(who, (counts.get(who) ?? 0) + 1);
  }
  return counts;
}

function expectShares(
  shares: Readonly<Record<string, number>>,
  counts: ReadonlyMap<string, number>,
  total: number,
): void {
  expect([...counts.keys()].sort()).toEqual(Object.keys(shares).sort());
  for (const [who, share] of Object.entries(shares)) {
    expect(Math.abs((counts.get(who) ?? 0) / total - share)).toBeLessThan(SHARE_TOLERANCE);
  }
}

/** Of the answer, exactly what the exchange has an opinion on: a difference shows all of it at once. */
function describeAnswer({ status, headers, received, body }: Answer, expected: Exchange): object {
  return {
    ...((expected.status !== undefined || expected.backend === undefined) && { status }),
    ...(expected.backend !== undefined && { backend: received?.backend ?? status }),
    ...(expected.headers && { headers: select(headers, expected.headers) }),
    ...(expected.body !== undefined && { body }),
    ...(expected.received && { received: describeReceived(received, expected.received) }),
  };
}

function describeReceived(received: ReceivedRequest | undefined, wanted: Exchange["received"]): object | undefined {
  return (
    wanted && {
      ...(wanted.path !== undefined && { path: received?.path }),
      ...(wanted.host !== undefined && { host: received?.host }),
      ...(wanted.method !== undefined && { method: received?.method }),
      ...(wanted.httpVersion !== undefined && { httpVersion: received?.httpVersion }),
      ...(wanted.tls && { tls: select(received?.tls ?? {}, wanted.tls) }),
      ...(wanted.headers && { headers: select(received?.headers ?? {}, wanted.headers) }),
    }
  );
}

function describeExpectation({ status, backend, headers, body, received }: Exchange): { readonly received?: object } {
  return {
    ...((status !== undefined || backend === undefined) && { status: status ?? 200 }),
    ...(backend !== undefined && { backend }),
    ...(headers && { headers: patterns(headers) }),
    ...(body !== undefined && { body: pattern(body) }),
    ...(received && { received: { ...received, ...(received.headers && { headers: patterns(received.headers) }) } }),
  };
}

function select(headers: Readonly<Record<string, unknown>>, wanted: Headers): Record<string, unknown> {
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, headers[name] ?? null]));
}

function patterns(headers: Headers): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, pattern(value)]));
}

function pattern(value: Headers[string]): unknown {
  if (typeof value !== "string" || !value.startsWith("~")) return value;
  return expect.stringMatching(new RegExp(value.slice(1), "s"));
}
