import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { KeyPair } from "../../harness/certificates.ts";
import type { ContainerLog, LogQuery } from "./logs.ts";

export type FindLog = (namespace: string, pod: string, container: string) => ContainerLog | undefined;

/**
 * The part of a kubelet's HTTPS server that the API server needs for `kubectl logs`. `exec`, `attach` and `port-forward` need
 * SPDY, which Node does not speak; they are refused with a sentence that says so.
 */
export function startKubeletServer(
  address: string,
  port: number,
  serving: KeyPair,
  clientAuthority: string,
  findLog: FindLog,
): Promise<void> {
  const server = createServer(
    { cert: serving.certificate, key: serving.key, ca: clientAuthority, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      const url = new URL(request.url ?? "/", "https://kubelet");
      const [, what, namespace = "", pod = "", container = ""] = url.pathname.split("/").map(decodeURIComponent);
      if (what !== "containerLogs") return refuse(response, 501, `${what} is not supported by this kubelet`);
      const log = findLog(namespace, pod, container);
      if (log === undefined) return refuse(response, 404, `no container ${container} of pod ${namespace}/${pod} here`);
      void sendLog(log, readQuery(url.searchParams), response);
    },
  );
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, () => resolve());
  });
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(`${message}\n`);
}

async function sendLog(log: ContainerLog, query: LogQuery, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  response.writeHead(200, { "content-type": "text/plain" });
  response.flushHeaders();
  await log.read(query, (line) => response.write(line), gone.signal);
  response.end();
}

function readQuery(parameters: URLSearchParams): LogQuery {
  const number = (name: string) => (parameters.has(name) ? Number(parameters.get(name)) : undefined);
  const flag = (name: string) => parameters.get(name) === "true";
  const sinceSeconds = number("sinceSeconds");
  const sinceTime = parameters.get("sinceTime");
  return {
    follow: flag("follow"),
    previous: flag("previous"),
    timestamps: flag("timestamps"),
    tailLines: number("tailLines"),
    limitBytes: number("limitBytes"),
    since: sinceTime
      ? Date.parse(sinceTime)
      : sinceSeconds === undefined
        ? undefined
        : Date.now() - sinceSeconds * 1_000,
  };
}
