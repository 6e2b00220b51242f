import { unlink } from "node:fs/promises";
import { connect } from "node:net";
import type { ServerCredentials as Credentials } from "@grpc/grpc-js";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import type { Node } from "../envoy/generated/envoy/config/core/v3/base.ts";
import { DeltaDiscoveryRequest, DiscoveryRequest } from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import type { Acknowledgement } from "../envoy/resource.ts";
import { deltaProtocol } from "./delta-stream.ts";
import type { XdsLimits } from "./limits.ts";
import {
  CONNECTION_AGE_GRACE_MILLISECONDS,
  defaultLimits,
  KEEPALIVE_TIME_MILLISECONDS,
  KEEPALIVE_TIMEOUT_MILLISECONDS,
  RECEIVE_LIMIT_BYTES,
} from "./limits.ts";
import type { ResourceStore } from "./resource-store.ts";
import { stateOfTheWorldProtocol } from "./state-of-the-world.ts";
import type { CallInfo, MutableCounters, OpenStream, Protocol, StreamContext, XdsCall, XdsCounters } from "./stream.ts";
import { serveStream } from "./stream.ts";

/** An Envoy process of a gateway, by the id of its node. */
export interface Connection {
  readonly gateway: string;
  readonly nodeId: string;
  readonly connected: boolean;
}

export interface XdsServerOptions {
  readonly store: ResourceStore;
  /** Whose configuration a caller gets: the key of a Gateway, or undefined to refuse it. */
  readonly authorize: (call: CallInfo, node: Node) => string | undefined;
  /**
   * Called once per stream for every version of a Listener, Cluster, Secret or RouteConfiguration that an Envoy accepted
   * (also for those that it turns out to have when it reconnects), and for every resource of any type that it refused.
   */
  readonly onAcknowledgement: (acknowledgement: Acknowledgement) => void;
  /** Called when a node's first stream opens and when its last one closes. */
  readonly onConnection: (connection: Connection) => void;
  /** A bug ended a stream. */
  readonly onFailure?: (error: unknown) => void;
  /** Without transport security by default. */
  readonly credentials?: Credentials;
  readonly limits?: Partial<XdsLimits>;
  readonly connections?: ConnectionLimits;
}

/** Limits of connections, as the configuration file may set them. */
export interface ConnectionLimits {
  /** Connections are ended after so long: Envoys connect again, to any replica, and are sent nothing that they have. */
  readonly maxConnectionAgeMilliseconds?: number;
  /** After that long again its streams are ended, which never end by themselves. Default {@link CONNECTION_AGE_GRACE_MILLISECONDS}. */
  readonly maxConnectionAgeGraceMilliseconds?: number;
  /** Default {@link RECEIVE_LIMIT_BYTES}. */
  readonly receiveLimitBytes?: number;
}

export interface XdsServer {
  readonly counters: XdsCounters;
  /**
   * @param address `host:port`, port 0 for a free one, or `unix:/path`
   * @returns the address with the port that was taken
   */
  listen(address: string): Promise<string>;
  /** Ends all streams and, after the grace, the connections of those who do not take it. */
  close(options: { readonly graceMilliseconds: number }): Promise<void>;
}

const SERVICE_PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService";

/** The aggregated discovery service: delta for Envoy, state of the world for gRPC libraries. */
export function createXdsServer(options: XdsServerOptions): XdsServer {
  const { maxConnectionAgeMilliseconds: age, ...limits } = options.connections ?? {};
  const server = new Server({
    "grpc.max_receive_message_length": limits.receiveLimitBytes ?? RECEIVE_LIMIT_BYTES,
    ...(age !== undefined && {
      "grpc.max_connection_age_ms": age,
      "grpc.max_connection_age_grace_ms": limits.maxConnectionAgeGraceMilliseconds ?? CONNECTION_AGE_GRACE_MILLISECONDS,
    }),
    "grpc.max_send_message_length": -1,
    "grpc.keepalive_time_ms": KEEPALIVE_TIME_MILLISECONDS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MILLISECONDS,
  });
  const open = new Set<OpenStream>();
  const context = createContext(options);
  let closing = false;

  function handle<Request>(protocol: Protocol<Request>): (call: XdsCall<Request>) => void {
    return (call) => {
      const stream = serveStream(call, protocol, context);
      if (closing) return stream.end(status.UNAVAILABLE, STOPPING);
      open.add(stream);
      stream.closed.then(() => open.delete(stream));
    };
  }

  server.addService(
    {
      deltaAggregatedResources: method("DeltaAggregatedResources", DeltaDiscoveryRequest),
      streamAggregatedResources: method("StreamAggregatedResources", DiscoveryRequest),
    },
    {
      deltaAggregatedResources: handle(deltaProtocol(context)),
      streamAggregatedResources: handle(stateOfTheWorldProtocol(context)),
    },
  );

  return {
    counters: context.counters,
    async listen(address) {
      if (address.startsWith("unix:")) await removeStaleSocket(address.slice("unix:".length));
      const port = await bind(server, address, options.credentials ?? ServerCredentials.createInsecure());
      return address.startsWith("unix:") ? address : address.replace(/:\d+$/, `:${port}`);
    },
    async close({ graceMilliseconds }) {
      closing = true;
      for (const stream of open) stream.end(status.UNAVAILABLE, STOPPING);
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(() => server.forceShutdown(), graceMilliseconds);
      server.tryShutdown(() => resolve());
      await promise;
      clearTimeout(timer);
    },
  };
}

const STOPPING = "the control plane is stopping; connect again";

function createContext(options: XdsServerOptions): StreamContext {
  const counters: MutableCounters = {
    streams: 0,
    responses: 0,
    resources: 0,
    bytes: 0,
    acknowledgements: 0,
    refusals: 0,
  };
  // A reconnecting Envoy's new stream may open before the old one is known to be gone: streams per node are counted.
  const streams = new Map<string, number>();
  return {
    store: options.store,
    limits: { ...defaultLimits, ...options.limits },
    counters,
    authorize: options.authorize,
    onAcknowledgement: options.onAcknowledgement,
    onFailure: options.onFailure ?? (() => {}),
    onStream(gateway, nodeId, opened) {
      const key = `${gateway} ${nodeId}`;
      const count = (streams.get(key) ?? 0) + (opened ? 1 : -1);
      if (count === 0) streams.delete(key);
      else streams.set(key, count);
      if (count === (opened ? 1 : 0)) options.onConnection({ gateway, nodeId, connected: opened });
    },
  };
}

/** A bidirectional method whose responses are encoded already. */
function method<Request>(
  name: string,
  requestType: { decode(bytes: Uint8Array): Request; encode(message: Request): { finish(): Uint8Array } },
) {
  return {
    path: `${SERVICE_PATH}/${name}`,
    requestStream: true,
    responseStream: true,
    requestSerialize: (request: Request) => Buffer.from(requestType.encode(request).finish()),
    requestDeserialize: (bytes: Buffer) => requestType.decode(bytes),
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  } as const;
}

function bind(server: Server, address: string, credentials: Credentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }));
    });
  });
}

/** A killed process leaves its socket file behind, and binding to it would fail. One that somebody answers on stays. */
async function removeStaleSocket(path: string): Promise<void> {
  const stale = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.on("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
  if (stale) await unlink(path);
}
