import type { Readable } from "node:stream";
import { Agent, type Dispatcher, ProxyAgent, request } from "undici";
import { type Answer, type ApiError, errorOfFailure, errorOfStatus } from "./api-error.ts";
import type { Credential, Credentials } from "./credentials.ts";
import { createTokenBucket, type Rate } from "./token-bucket.ts";

/** One HTTP call to the API server. */
export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path with query. */
  readonly path: string;
  /** What is asked, in the words of an error: `get Gateway prod/web`. */
  readonly subject: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly timeoutMilliseconds: number;
  /** True: does not wait for the rate limit. For the few calls that others wait for, such as renewing a lease. */
  readonly urgent?: boolean;
}

/** An answer of 2xx or 304. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly bytes: number;
  readonly etag: string | undefined;
}

export interface TransportCounters {
  /** Calls by method and outcome, `GET 200` or `PUT Timeout`. */
  readonly calls: ReadonlyMap<string, number>;
  /** Calls that wait for the rate limit now. */
  readonly waiting: number;
}

export interface Transport {
  send(call: Call): Promise<Answer<Reply>>;
  /** Opens a response that goes on; `timeoutMilliseconds` limits the wait for its head, `signal` ends it. */
  open(call: Call): Promise<Answer<Readable>>;
  readonly counters: TransportCounters;
  /** Ends all connections, those of open streams too. */
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly credentials: Credentials;
  readonly rate: Rate;
  /** Connections for ordinary calls. Streams have one each beyond. */
  readonly connectionsMax: number;
  readonly userAgent: string;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Idle connections are closed before the server does (Go: 90 s), so that no call meets a closing one. */
const IDLE_CONNECTION_MS = 20_000;
const TCP_KEEPALIVE_DELAY_MS = 15_000;
/** A larger answer is an error: a page of a list is about 4 MB, one object at most 3 MB. */
const RESPONSE_MAX_BYTES = 256 * 1024 * 1024;

interface Dispatchers {
  readonly identity: string;
  readonly calls: Dispatcher;
  readonly streams: Dispatcher;
}

/** HTTP/1.1 to one API server with bounded connections, a rate limit and credentials that are read again when refused. */
export function createTransport({ credentials, rate, connectionsMax, userAgent }: TransportOptions): Transport {
  const bucket = createTokenBucket(rate);
  const counters = new Map<string, number>();
  let dispatchers: Dispatchers | undefined;

  function connect(credential: Credential): Dispatchers {
    if (dispatchers?.identity === credential.tlsIdentity) return dispatchers;
    const old = dispatchers;
    // A new certificate: streams opened with the old one go on until they end by themselves.
    void old?.calls.close();
    void old?.streams.close();
    const create = (connections: number | null) => createDispatcher(credential, credentials.proxy, connections);
    dispatchers = { identity: credential.tlsIdentity, calls: create(connectionsMax), streams: create(null) };
    return dispatchers;
  }

  async function dispatch(call: Call, signal: AbortSignal, streaming: boolean): Promise<Dispatcher.ResponseData> {
    const credential = await credentials.current();
    const pools = connect(credential);
    return request(credentials.server + call.path, {
      method: call.method,
      dispatcher: streaming ? pools.streams : pools.calls,
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
      headers: {
        accept: call.accept ?? "application/json",
        "user-agent": userAgent,
        ...(call.body !== undefined && { "content-type": call.contentType ?? "application/json" }),
        ...call.headers,
        ...credential.headers,
      },
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
    });
  }

  /** Calls once more with fresh credentials when the server refuses those at hand. */
  async function authorized(call: Call, signal: AbortSignal, streaming: boolean): Promise<Dispatcher.ResponseData> {
    const response = await dispatch(call, signal, streaming);
    if (response.statusCode !== 401) return response;
    await response.body.dump();
    credentials.invalidate();
    return dispatch(call, signal, streaming);
  }

  function count(call: Call, outcome: string | number): void {
    const key = `${call.method} ${outcome}`;
    counters.set(key, (counters.get(key) ?? 0) + 1);
  }

  function failed<T>(call: Call, error: ApiError): Answer<T> {
    count(call, error.status || error.reason);
    return { ok: false, error };
  }

  async function admit(call: Call): Promise<ApiError | undefined> {
    if (call.urgent || (await bucket.take(call.signal))) return undefined;
    if (call.signal?.aborted) return errorOfFailure(call.subject, "Aborted", "it was given up");
    return {
      ...errorOfFailure(call.subject, "TooManyRequests", "too many calls wait for the client's own rate limit"),
      retryAfterMilliseconds: 1000,
    };
  }

  return {
    async send(call) {
      const refusal = await admit(call);
      if (refusal) return failed(call, refusal);
      const limit = limitTime(call);
      try {
        const response = await authorized(call, limit.signal, false);
        const text = await readText(response.body);
        const { statusCode: status, headers } = response;
        if (status >= 400)
          return failed(call, errorOfStatus(call.subject, status, parse(text), first(headers["retry-after"])));
        count(call, status);
        const value = { status, body: parse(text), bytes: text.length, etag: first(headers["etag"]) };
        return { ok: true, value };
      } catch (error) {
        return failed(call, describeFailure(call, error, limit));
      } finally {
        limit.release();
      }
    },
    async open(call) {
      const refusal = await admit(call);
      if (refusal) return failed(call, refusal);
      const limit = limitTime(call);
      try {
        const response = await authorized(call, limit.signal, true);
        const { statusCode: status, headers, body } = response;
        if (status < 400) {
          count(call, status);
          limit.lift();
          body.once("close", limit.release);
          return { ok: true, value: body };
        }
        const text = await readText(body);
        limit.release();
        return failed(call, errorOfStatus(call.subject, status, parse(text), first(headers["retry-after"])));
      } catch (error) {
        limit.release();
        return failed(call, describeFailure(call, error, limit));
      }
    },
    counters: {
      calls: counters,
      get waiting() {
        return bucket.waiting;
      },
    },
    async close() {
      await Promise.all([dispatchers?.calls.destroy(), dispatchers?.streams.destroy()]);
    },
  };
}

function createDispatcher({ tls }: Credential, proxy: string | undefined, connections: number | null): Dispatcher {
  const connect = { keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_DELAY_MS, timeout: CONNECT_TIMEOUT_MS };
  const shared = { connections, pipelining: 1, allowH2: false, keepAliveTimeout: IDLE_CONNECTION_MS };
  return proxy === undefined
    ? new Agent({ ...shared, connect: { ...tls, ...connect } as Agent.Options["connect"] })
    : new ProxyAgent({ ...shared, uri: proxy, requestTls: tls as ProxyAgent.Options["requestTls"], connect });
}

async function readText(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > RESPONSE_MAX_BYTES) throw new Error(`the answer is larger than ${RESPONSE_MAX_BYTES >> 20} MB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

interface TimeLimit {
  /** Fires with the caller's signal or when the time is over. */
  readonly signal: AbortSignal;
  /** The time is over. */
  readonly passed: boolean;
  /** From now on only the caller's signal counts. */
  readonly lift: () => void;
  /** Nothing fires any more. */
  readonly release: () => void;
}

/**
 * Does what `AbortSignal.timeout` and `AbortSignal.any` do, and forgets the call when it is over: those hold each call with all that
 * belongs to it until its time is over, 100 MB while ten thousand statuses are written.
 */
function limitTime({ signal, timeoutMilliseconds }: Call): TimeLimit {
  const controller = new AbortController();
  const abort = () => controller.abort();
  let passed = false;
  const timer = setTimeout(() => {
    passed = true;
    abort();
  }, timeoutMilliseconds);
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    get passed() {
      return passed;
    },
    lift: () => clearTimeout(timer),
    release() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    },
  };
}

function describeFailure(call: Call, error: unknown, limit: TimeLimit): ApiError {
  if (call.signal?.aborted) return errorOfFailure(call.subject, "Aborted", "it was given up");
  if (limit.passed) {
    return errorOfFailure(call.subject, "Timeout", `no answer within ${call.timeoutMilliseconds / 1000} s`);
  }
  const why = error instanceof Error ? error.message || error.name : String(error);
  return errorOfFailure(call.subject, "Unavailable", why);
}
