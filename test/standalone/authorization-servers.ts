import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { AttributeContext } from "../../src/envoy/generated/envoy/service/auth/v3/attribute_context.ts";
import { CheckRequest, CheckResponse } from "../../src/envoy/generated/envoy/service/auth/v3/external_auth.ts";
import type { KeyPair } from "../harness/certificates.ts";

/** Servers that are asked whether a request may pass, and what the `authorization` of the request makes them say. */
export const says = {
  /** Yes: the user is `alice`. The header `x-other` is set, too. */
  yes: "Bearer alice",
  /** Yes, and nothing else. */
  onlyYes: "Bearer nobody",
  /** Nothing, ever. */
  nothing: "Bearer silence",
  /** That it cannot say. */
  fault: "Bearer fault",
} as const;

/** What a server answers that says no. */
export const no = { status: 429, header: "not so fast", body: "Too many" } as const;

const added = { "x-user": "alice", "x-other": "other", "x-gatehouse-route-table": "another" } as const;

export interface HttpQuestion {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface AuthorizationServer<Question> {
  readonly port: number;
  /** The newest last. */
  readonly asked: readonly Question[];
  stop(): Promise<void>;
}

export async function startHttpAuthorization(port = 0): Promise<AuthorizationServer<HttpQuestion>> {
  const asked: HttpQuestion[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      asked.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
      const said = headers.authorization;
      if (said === says.nothing) return;
      if (said === says.fault) response.writeHead(500).end();
      else if (said === says.onlyYes) response.end();
      else if (said === says.yes) response.writeHead(200, added).end();
      else response.writeHead(no.status, { "x-why": no.header, "content-type": "text/plain" }).end(no.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, asked, stop };
}

const toHeaders = (headers: Readonly<Record<string, string>>) =>
  Object.entries(headers).map(([key, value]) => ({ header: { key, value } }));
const UNAUTHENTICATED = 16;

function answerGrpc(said: string | undefined): CheckResponse {
  if (said === says.onlyYes) return { status: { code: 0 }, okResponse: {} };
  if (said === says.yes) {
    return { status: { code: 0 }, okResponse: { headers: toHeaders(added), headersToRemove: ["x-removed"] } };
  }
  return {
    status: { code: UNAUTHENTICATED },
    deniedResponse: { status: { code: no.status }, headers: toHeaders({ "x-why": no.header }), body: no.body },
  };
}

/** @param keyPair set: it speaks TLS */
export async function startGrpcAuthorization(keyPair?: KeyPair): Promise<AuthorizationServer<AttributeContext>> {
  const asked: AttributeContext[] = [];
  const server = new Server();
  const definition = {
    Check: {
      path: "/envoy.service.auth.v3.Authorization/Check",
      requestStream: false,
      responseStream: false,
      requestSerialize: (message: CheckRequest) => Buffer.from(CheckRequest.encode(message).finish()),
      requestDeserialize: (bytes: Buffer) => CheckRequest.decode(bytes),
      responseSerialize: (message: CheckResponse) => Buffer.from(CheckResponse.encode(message).finish()),
      responseDeserialize: (bytes: Buffer) => CheckResponse.decode(bytes),
    },
  } as const;
  server.addService(definition, {
    Check(
      { request: { attributes = {} } }: { request: CheckRequest },
      answer: (error: Error | null, message?: CheckResponse) => void,
    ) {
      asked.push(attributes);
      const said = attributes.request?.http?.headers?.["authorization"];
      if (said === says.nothing) return;
      if (said === says.fault) answer(new Error("cannot say"));
      else answer(null, answerGrpc(said));
    },
  });
  const credentials = keyPair
    ? ServerCredentials.createSsl(null, [
        { private_key: Buffer.from(keyPair.key), cert_chain: Buffer.from(keyPair.certificate) },
      ])
    : ServerCredentials.createInsecure();
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return {
    port,
    asked,
    stop: async () => server.forceShutdown(),
  };
}
