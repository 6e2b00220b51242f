import { unlink } from "node:fs/promises";
import { connect } from "node:net";
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
import type { SecureListener, TlsMaterial } from "./secure-listener.ts";
import { createSecureListener } from "./secure-listener.ts";
import { stateOfTheWorldProtocol } from "./state-of-the-world.ts";
import type {
  Admission,
  CallInfo,
  MutableCounters,
  OpenStream,
  Protocol,
  Refusal,
  StreamContext,
  XdsCall,
  XdsCounters,
} from "./stream.ts";
import { serveStream } from "./stream.ts";

/** An Envoy process of a gateway, by the id of its node. */
export interface Connection {
  readonly gateway: string;
  readonly nodeId: string;
  readonly connected: boolean;
}

export interface XdsServerOptions {
  readonly store: ResourceStore;
  /** Whose configuration a caller gets. A promise only where it must be asked: the stream waits for it. */
  readonly authorize: (call: CallInfo, node: Node) => Admission | Promise<Admission>;
  /** A stream or a handshake was refused. */
  readonly onDenial?: (refusal: Refusal) => void;
  /**
   * Called once per stream for every version of a Listener, Cluster, Secret or RouteConfiguration that an Envoy accepted
   * (also for those that it turns out to have when it reconnects), and for every resource of any type that it refused.
   */
  readonly onAcknowledgement: (acknowledgement: Acknowledgement) => void;
  /** Called when a node's first stream opens and when its last one closes. */
  readonly onConnection: (connection: Connection) => void;
  /** Called once per stream, after the acknowledgements of the listeners that the Envoy turns out to have. */
  readonly onListenersStated?: (gateway: string, nodeId: string) => void;
  /** A RouteConfiguration is on its way to an Envoy, which will answer, or end its stream. */
  readonly onTableSent?: (gateway: string, nodeId: string, table: string) => void;
  /** A bug ended a stream. */
  readonly onFailure?: (error: unknown) => void;
  /**
   * TLS 1.3, once {@link XdsServer.setCertificates} brought what it takes; until then connections are closed at once. With
   * `clientCertificates` a client must have one. Absent: without transport security, for a socket that a folder protects.
   */
  readonly tls?: { readonly clientCertificates: boolean };
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
  /** Only with `tls`. For new handshakes; streams go on. @throws Error when certificate and key do not fit each other */
  setCertificates(material: TlsMaterial): void;
  /** An Envoy has more to take than it should be given at once. O(streams). */
  isBehind(): boolean;
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
  const secure = options.tls === undefined ? undefined : createSecureTransport(server, options.tls, context);
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
      const port = await (secure === undefined ? bind(server, address) : listenSecurely(secure, address));
      return address.startsWith("unix:") ? address : address.replace(/:\d+$/, `:${port}`);
    },
    setCertificates(material) {
      if (secure === undefined) throw new Error("this xDS server was made without TLS");
      secure.update(material);
    },
    isBehind() {
      for (const stream of open) if (stream.isBehind()) return true;
      return false;
    },
    async close({ graceMilliseconds }) {
      closing = true;
      secure?.close();
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
    denials: 0,
  };
  // A reconnecting Envoy's new stream may open before the old one is known to be gone: streams per node are counted.
  const streams = new Map<string, number>();
  return {
    store: options.store,
    limits: { ...defaultLimits, ...options.limits },
    counters,
    authorize: options.authorize,
    onDenial: options.onDenial ?? (() => {}),
    onAcknowledgement: options.onAcknowledgement,
    onListenersStated: options.onListenersStated ?? (() => {}),
    onTableSent: options.onTableSent ?? (() => {}),
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

/** TLS is ours, HTTP/2 on its sockets is the library's. */
function createSecureTransport(
  server: Server,
  { clientCertificates }: { readonly clientCertificates: boolean },
  { counters, onDenial }: StreamContext,
): SecureListener {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return createSecureListener({
    clientCertificates,
    onConnection: (socket) => injector.injectConnection(socket),
    onDenial(refusal) {
      counters.denials++;
      onDenial(refusal);
    },
  });
}

async function listenSecurely(secure: SecureListener, address: string): Promise<number> {
  const [, host, port] = /^(?:\[(.+)\]|(.+)):(\d+)$/.exec(address)?.filter((part) => part !== undefined) ?? [];
  if (host === undefined) throw new Error(`cannot listen on ${address}: TLS is served on host:port only`);
  try {
    return await secure.listen(host, Number(port));
  } catch (error) {
    throw new Error(`cannot listen on ${address}: ${(error as Error).message}`, { cause: error });
  }
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
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
