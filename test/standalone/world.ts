import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type TemporaryDirectory, temporaryDirectory } from "../harness/directory.ts";
import { type GatehouseProcess, startGatehouse } from "../harness/gatehouse.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";

/** What a test backend received, as it answers in its body. */
export interface Received {
  readonly backend: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Parsed body of a test backend; undefined when the answer is Envoy's own. */
  readonly received?: Received;
}

export interface RequestOptions {
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A folder, a running standalone gateway on it, and backends that answer with what they received. */
export interface World {
  readonly files: TemporaryDirectory;
  readonly port: number;
  readonly gatehouse: () => GatehouseProcess;
  restart(): Promise<void>;
  /** Starts a backend; returns its port. */
  backend(name: string, answer?: (path: string) => { status: number } | undefined): Promise<number>;
  send(options: RequestOptions): Promise<Answer>;
  /** Sends until the answer pleases; fails after a bounded wait. */
  until(options: RequestOptions, pleases: (answer: Answer) => boolean, limitMs?: number): Promise<Answer>;
  stop(): Promise<void>;
}

export const classAndGateway = (port: number, listeners?: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: gatehouse}
spec: {controllerName: gatehouse.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web}
spec:
  gatewayClassName: gatehouse
  listeners: ${listeners ?? `[{name: http, protocol: HTTP, port: ${port}}]`}
`;

export const backendYaml = (name: string, port: number) => `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: ${name}}
spec: {endpoints: [{ip: {address: 127.0.0.1, port: ${port}}}]}
`;

/** `rules` is YAML in flow style: the value of `spec.rules`. */
export const routeYaml = (name: string, host: string, rules: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}}
spec:
  parentRefs: [{name: web}]
  hostnames: ["${host}"]
  rules: ${rules}
`;

export const toBackend = (name: string, weight = 1) =>
  `{group: gateway.envoyproxy.io, kind: Backend, name: ${name}, weight: ${weight}}`;

export async function createWorld(listeners?: (port: number) => string): Promise<World> {
  const files = temporaryDirectory();
  const port = await freePort();
  files.writeAtomically("gateway.yaml", classAndGateway(port, listeners?.(port)));
  let gatehouse = await startGatehouse({ directory: files.path });
  const servers: Server[] = [];
  const send = (options: RequestOptions) => sendRequest(port, options);
  return {
    files,
    port,
    gatehouse: () => gatehouse,
    async restart() {
      gatehouse = await startGatehouse({ directory: files.path, env: gatehouse.env });
    },
    async backend(name, answer) {
      const server = createServer((incoming, response) => {
        incoming.resume();
        const received = { backend: name, method: incoming.method, path: incoming.url, headers: incoming.headers };
        response.writeHead(answer?.(incoming.url ?? "")?.status ?? 200, { "content-type": "application/json" });
        response.end(JSON.stringify(received));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      servers.push(server);
      return (server.address() as AddressInfo).port;
    },
    send,
    until: (options, pleases, limitMs) =>
      waitFor(
        `an answer on ${options.host}${options.path ?? "/"}`,
        async () => {
          const answer = await send(options);
          if (pleases(answer)) return answer;
          throw new Error(`status ${answer.status}: ${answer.body.slice(0, 200)}`);
        },
        limitMs,
      ),
    async stop() {
      await gatehouse.stop();
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      files.discard();
    },
  };
}

const REQUEST_LIMIT_MS = 10_000;

function sendRequest(
  port: number,
  { host, path = "/", method = "GET", headers = {} }: RequestOptions,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: "127.0.0.1", port, path, method, headers: { host, ...headers }, agent: false, timeout: REQUEST_LIMIT_MS },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const body = Buffer.concat(chunks).toString();
          const answer = { status: response.statusCode ?? 0, headers: response.headers, body };
          const received = parseReceived(body);
          resolve(received === undefined ? answer : { ...answer, received });
        });
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${REQUEST_LIMIT_MS} ms`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}

function parseReceived(body: string): Received | undefined {
  try {
    const parsed = JSON.parse(body) as Received;
    return typeof parsed.backend === "string" ? parsed : undefined;
  } catch {
    return undefined;
  }
}
