import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
  status as statusCodes,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";

/** A real gRPC server that says what it received, and a client for it: messages are JSON, so that no stubs are needed. */

/** What the server saw of a call; it is also the answer. */
export interface ReceivedCall {
  readonly backend: string;
  /** Such as `/store.Orders/Get`. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface GrpcBackend {
  readonly name: string;
  readonly port: number;
  readonly received: readonly ReceivedCall[];
  stop(): void;
}

type Json = Readonly<Record<string, unknown>>;

const CALL_LIMIT_MS = 10_000;
const serialize = (value: Json): Buffer => Buffer.from(JSON.stringify(value));
const deserialize = (bytes: Buffer): Json => JSON.parse(bytes.toString("utf8")) as Json;

function define(path: string, streams: boolean): MethodDefinition<Json, Json> {
  return {
    path,
    requestStream: streams,
    responseStream: streams,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  };
}

/**
 * Serves the methods on 127.0.0.1, in cleartext.
 *
 * @param methods as in `store.Orders/Get`; one named `Talk` sends back every message of a stream
 */
export async function startGrpcBackend(name: string, methods: readonly string[]): Promise<GrpcBackend> {
  const server = new Server();
  const received: ReceivedCall[] = [];
  const record = (path: string, metadata: Metadata): ReceivedCall => {
    const headers = Object.fromEntries(
      Object.keys(metadata.getMap()).map((key) => [key, metadata.get(key).map(String).join(", ")]),
    );
    const call = { backend: name, path, headers };
    received.push(call);
    return call;
  };
  for (const method of methods) {
    const path = `/${method}`;
    const streams = method.endsWith("/Talk");
    const service: ServiceDefinition = { [method]: define(path, streams) };
    const implementation: UntypedServiceImplementation = {
      [method]: streams
        ? (call: { metadata: Metadata; pipe(to: unknown): void }) => {
            record(path, call.metadata);
            call.pipe(call);
          }
        : (call: { metadata: Metadata }, reply: (error: null, value: object, trailer: Metadata) => void) => {
            const trailer = new Metadata();
            trailer.set("x-trailer", name);
            reply(null, record(path, call.metadata), trailer);
          },
    };
    server.addService(service, implementation);
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { name, port, received, stop: () => server.forceShutdown() };
}

export interface CallOptions {
  readonly port: number;
  /** `:authority`. */
  readonly host: string;
  /** Such as `store.Orders/Get`. */
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CallOutcome {
  /** Name of a gRPC status, such as `OK` or `UNIMPLEMENTED`. */
  readonly code: string;
  readonly message: string;
  readonly received?: ReceivedCall;
  /** Metadata that came before the answer. */
  readonly headers: Readonly<Record<string, string>>;
}

/** One unary call over a channel of its own. */
export function callUnary(options: CallOptions): Promise<CallOutcome> {
  const client = openClient(options);
  const method = define(`/${options.method}`, false);
  return new Promise((resolve) => {
    let headers: CallOutcome["headers"] = {};
    const done = (error: ServiceError | null, value?: Json) => {
      client.close();
      const code = statusCodes[error?.code ?? statusCodes.OK];
      const received = value as ReceivedCall | undefined;
      resolve({ code, message: error?.details ?? "", headers, ...(received && { received }) });
    };
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      {},
      metadataOf(options),
      { deadline: Date.now() + CALL_LIMIT_MS },
      done,
    );
    call.on("metadata", (metadata: Metadata) => {
      headers = Object.fromEntries(Object.entries(metadata.getMap()).map(([name, value]) => [name, String(value)]));
    });
  });
}

/** Sends messages over one stream, each when the one before has come back; resolves with what came back. */
export function talk(options: CallOptions, messages: readonly Json[]): Promise<Json[]> {
  const client = openClient(options);
  const method = define(`/${options.method}`, true);
  return new Promise((resolve, reject) => {
    const stream = client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      metadataOf(options),
      { deadline: Date.now() + CALL_LIMIT_MS },
    );
    const returned: Json[] = [];
    stream.on("data", (message: Json) => {
      returned.push(message);
      const next = messages[returned.length];
      if (next === undefined) stream.end();
      else stream.write(next);
    });
    stream.on("error", (error) => {
      client.close();
      reject(error);
    });
    stream.on("end", () => {
      client.close();
      resolve(returned);
    });
    stream.write(messages[0] ?? {});
  });
}

function openClient({ port, host }: CallOptions): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { "grpc.default_authority": host });
}

function metadataOf({ headers = {} }: CallOptions): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}
