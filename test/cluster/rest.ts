import { Agent, request } from "node:https";

/** How to reach an API server as one user. */
export interface Access {
  /** Without a trailing slash. */
  readonly url: string;
  /** PEM of the authority that signed the server's certificate. */
  readonly caCertificate: string;
  readonly token: string;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface RequestOptions {
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** Default 30 s. Ignored for streams. */
  readonly limitMs?: number;
}

/** A status of the 4xx or 5xx kind. */
export class StatusError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A small client of one API server: what the stand-ins and the tests of this folder need, no more. */
export interface Rest {
  readonly access: Access;
  /** Resolves whatever the status. Rejects when there is no answer. */
  ask(path: string, options?: RequestOptions): Promise<Answer>;
  /** @throws StatusError for a status of 400 and above */
  json<T>(path: string, options?: RequestOptions): Promise<T>;
  /** Streams the lines of an answer until it ends, breaks (rejects) or the signal aborts. */
  lines(path: string, onLine: (line: string) => void, signal: AbortSignal): Promise<void>;
  close(): void;
}

const ANSWER_LIMIT_MS = 30_000;

export function createRest(access: Access): Rest {
  const agent = new Agent({ keepAlive: true, ca: access.caCertificate });
  const open = (path: string, options: RequestOptions, text?: string, signal?: AbortSignal) =>
    request(`${access.url}${path}`, {
      agent,
      method: options.method ?? "GET",
      ...(signal === undefined ? {} : { signal }),
      headers: {
        authorization: `Bearer ${access.token}`,
        accept: "application/json",
        // Node frames the body of a DELETE only when its length is given.
        ...(text === undefined
          ? {}
          : { "content-type": options.contentType ?? "application/json", "content-length": Buffer.byteLength(text) }),
      },
    });

  const ask = (path: string, options: RequestOptions = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const text = options.body === undefined ? undefined : JSON.stringify(options.body);
      const call = open(path, options, text);
      call.setTimeout(options.limitMs ?? ANSWER_LIMIT_MS, () => call.destroy(new Error(`no answer in time: ${path}`)));
      call.once("error", reject);
      call.once("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      });
      call.end(text);
    });

  const lines = (path: string, onLine: (line: string) => void, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const call = open(path, {}, undefined, signal);
      call.once("error", reject);
      call.once("response", (response) => {
        let rest = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          const parts = (rest + chunk).split("\n");
          rest = parts.pop()!;
          if (response.statusCode === 200) for (const part of parts) onLine(part);
          else rest = parts.join("\n") + rest;
        });
        response.once("error", reject);
        response.once("end", () => {
          if (response.statusCode === 200) resolve();
          else reject(new StatusError(response.statusCode ?? 0, `GET ${path}: ${response.statusCode} ${rest}`));
        });
      });
      call.end();
    });

  return {
    access,
    ask,
    async json<T>(path: string, options: RequestOptions = {}) {
      const { status, body } = await ask(path, options);
      if (status >= 400) throw new StatusError(status, `${options.method ?? "GET"} ${path}: ${status} ${body}`);
      return JSON.parse(body) as T;
    },
    lines,
    close: () => agent.destroy(),
  };
}
