import { connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { Client, credentials } from "@grpc/grpc-js";
import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import type { ModelEnvoy } from "./model-envoy.test-support.ts";

export type DeltaCall = ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/** A bare delta stream. */
export function openDeltaStream(address: string): { readonly call: DeltaCall; close(): void } {
  const client = new Client(address, credentials.createInsecure(), { "grpc.max_receive_message_length": -1 });
  const call = client.makeBidiStreamRequest(
    PATH,
    (request: DeltaDiscoveryRequest) => Buffer.from(DeltaDiscoveryRequest.encode(request).finish()),
    (bytes: Buffer) => DeltaDiscoveryResponse.decode(bytes),
  );
  return { call, close: () => client.close() };
}

/**
 * A stream whose client leaves what arrives in the transport until `read`. Plain HTTP/2, because the gRPC client reads ahead
 * without a bound.
 */
export function openUnreadStream(address: string, first: DeltaDiscoveryRequest): { read(): void; close(): void } {
  const session = connect(`http://${address}`);
  const stream = session.request({
    ":method": "POST",
    ":path": PATH,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.pause();
  const message = DeltaDiscoveryRequest.encode(first).finish();
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  stream.write(Buffer.concat([head, message]));
  return { read: () => stream.resume(), close: () => session.destroy() };
}

export interface ConnectedEnvoy {
  readonly call: DeltaCall;
  /** How the stream ended; undefined while it is open. */
  error(): ServiceError | undefined;
  responses(): number;
  disconnect(): void;
}

/** Runs a model Envoy over a real stream. */
export function connectEnvoy(address: string, envoy: ModelEnvoy): ConnectedEnvoy {
  const { call, close } = openDeltaStream(address);
  let error: ServiceError | undefined;
  let responses = 0;
  const flush = () => {
    for (let request = envoy.takeRequest(); request !== undefined; request = envoy.takeRequest()) call.write(request);
  };
  call.on("data", (response: DeltaDiscoveryResponse) => {
    responses++;
    envoy.receive(response);
    flush();
  });
  call.on("error", (reason: ServiceError) => {
    error ??= reason;
  });
  envoy.connect();
  flush();
  return {
    call,
    error: () => error,
    responses: () => responses,
    disconnect() {
      call.cancel();
      close();
    },
  };
}

/** Waits for something to become true; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}
