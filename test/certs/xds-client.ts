import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
} from "../../src/envoy/generated/envoy/service/discovery/v3/discovery.ts";
import { resourceTypes } from "../../src/envoy/resource.ts";
import type { KeyPair } from "../harness/certificates.ts";

export interface XdsClientOptions {
  readonly address: string;
  /** Authorities that the client believes, in PEM. */
  readonly authorities: string;
  /** Name that the server's certificate must carry. */
  readonly serverName: string;
  readonly identity?: KeyPair;
  readonly node: { readonly id: string; readonly cluster: string };
  readonly bearerToken?: string;
}

export interface XdsAttempt {
  /** How it ended; undefined while the stream is open. */
  error(): ServiceError | undefined;
  responses(): number;
  close(): void;
}

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/** A delta stream that asks for clusters, by a plain gRPC client. */
export function attemptStream(options: XdsClientOptions): XdsAttempt {
  const { identity } = options;
  const channel = credentials.createSsl(
    Buffer.from(options.authorities),
    identity === undefined ? null : Buffer.from(identity.key),
    identity === undefined ? null : Buffer.from(identity.certificate),
  );
  const client = new Client(options.address, channel, { "grpc.ssl_target_name_override": options.serverName });
  const call = client.makeBidiStreamRequest(
    METHOD,
    (request: DeltaDiscoveryRequest) => Buffer.from(DeltaDiscoveryRequest.encode(request).finish()),
    (bytes: Buffer) => DeltaDiscoveryResponse.decode(bytes),
    headers(options.bearerToken),
  );
  let error: ServiceError | undefined;
  let responses = 0;
  call.on("error", (reason: ServiceError) => {
    error ??= reason;
  });
  call.on("data", () => responses++);
  call.write({ typeUrl: resourceTypes.cluster, node: options.node });
  return {
    error: () => error,
    responses: () => responses,
    close() {
      call.cancel();
      client.close();
    },
  };
}

function headers(bearerToken: string | undefined): Metadata {
  const metadata = new Metadata();
  if (bearerToken !== undefined) metadata.set("authorization", `Bearer ${bearerToken}`);
  return metadata;
}
