import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import { DeltaDiscoveryRequest } from "../src/envoy/generated/envoy/service/discovery/v3/discovery.ts";
import { serve } from "./worker.ts";

const SEND_LIMIT_BYTES = -1;
const ACKNOWLEDGEMENT_LIMIT_MS = 20_000;

/** A response as bytes, and what it takes before the next may be written. */
export interface ScriptedResponse {
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly nonce: string;
  /** Nonce whose acknowledgement must arrive before the next response is written. */
  readonly awaitedNonce?: string;
}

/** What Envoy starts with: for each type the response to its first request. */
export type InitialResponses = Readonly<Record<string, Uint8Array>>;

type Stream = ServerDuplexStream<DeltaDiscoveryRequest, Buffer>;

let stream: Stream | undefined;
let initial: InitialResponses = {};
let script: readonly ScriptedResponse[] = [];
const answered = new Set<string>();
const acknowledged = new Set<string>();
const refusals: string[] = [];
let onAcknowledged: () => void = () => {};

/**
 * An ADS server that thinks nothing: it writes responses that were encoded beforehand. What an update takes through it is what
 * Envoy and gRPC take.
 */
function serveStream(call: Stream): void {
  stream = call;
  answered.clear();
  call.on("error", () => {});
  call.on("data", (request: DeltaDiscoveryRequest) => {
    const type = request.typeUrl ?? "";
    if (request.errorDetail !== undefined) refusals.push(`${type}: ${request.errorDetail.message}`);
    if (request.responseNonce) {
      acknowledged.add(request.responseNonce);
      onAcknowledged();
    }
    const first = initial[type];
    if (first === undefined || answered.has(type)) return;
    answered.add(type);
    call.write(Buffer.from(first));
  });
  call.on("end", () => call.end());
}

async function awaitAcknowledgement(nonce: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error(`no acknowledgement of ${nonce}`)), ACKNOWLEDGEMENT_LIMIT_MS);
  onAcknowledged = () => acknowledged.has(nonce) && resolve();
  onAcknowledged();
  await promise;
  clearTimeout(timer);
}

const methods = {
  async start(responses: InitialResponses): Promise<number> {
    initial = responses;
    const server = new Server({
      "grpc.max_send_message_length": SEND_LIMIT_BYTES,
      "grpc.max_receive_message_length": -1,
    });
    server.addService(
      {
        deltaAggregatedResources: {
          path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
          requestStream: true,
          responseStream: true,
          requestSerialize: (request: DeltaDiscoveryRequest) =>
            Buffer.from(DeltaDiscoveryRequest.encode(request).finish()),
          requestDeserialize: (bytes: Buffer) => DeltaDiscoveryRequest.decode(bytes),
          responseSerialize: (bytes: Buffer) => bytes,
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      { deltaAggregatedResources: serveStream },
    );
    return new Promise((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
  },
  /** Takes the responses of the next update, so that their way here is not measured. */
  arm(responses: readonly ScriptedResponse[]): void {
    script = responses.map((response) => ({ ...response, bytes: Buffer.from(response.bytes) }));
  },
  /** Writes the update; returns when it began, by the monotonic clock, after the last acknowledgement. */
  async fire(_: undefined): Promise<bigint> {
    if (stream === undefined) throw new Error("Envoy is not connected");
    acknowledged.clear();
    const startedNs = process.hrtime.bigint();
    for (const { bytes, awaitedNonce } of script) {
      stream.write(bytes as Buffer);
      if (awaitedNonce !== undefined) await awaitAcknowledgement(awaitedNonce);
    }
    for (const { nonce } of script) await awaitAcknowledgement(nonce);
    if (refusals.length > 0) throw new Error(`Envoy refused: ${refusals[0]}`);
    return startedNs;
  },
};
export type FloorMethods = typeof methods;

serve(methods);
