import type { PeerCertificate } from "node:tls";
import type { Metadata, ServerDuplexStream } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import type { Node } from "../envoy/generated/envoy/config/core/v3/base.ts";
import type { Acknowledgement } from "../envoy/resource.ts";
import type { XdsLimits } from "./limits.ts";
import { STREAM_AGE_MAX_MILLISECONDS } from "./limits.ts";
import type { ResourceStore } from "./resource-store.ts";

/** What is known of a caller besides the node that it claims to be. */
export interface CallInfo {
  /** Remote address. */
  readonly peer: string;
  readonly metadata: Metadata;
  /** The client certificate that the TLS layer verified. */
  readonly certificate: PeerCertificate | undefined;
}

/**
 * Who a caller is: the Envoy of a gateway, for as long as its credentials hold (`until`, in milliseconds since the epoch), or
 * nobody that is served. The words of a refusal reach the caller and the log; they tell the caller nothing that it does not
 * know. `passing`: the caller may be right, but it cannot be told now.
 */
export type Admission =
  | { readonly gateway: string; readonly until?: number }
  | { readonly refused: string; readonly passing?: boolean };

/** A stream that was not served, or a connection that did not become one. */
export interface Refusal {
  readonly peer: string;
  readonly why: string;
  /** Whose configuration was asked for; absent when the connection was refused. */
  readonly node?: { readonly id: string; readonly cluster: string };
}

/** Running totals, except `streams`: the delta streams open now. */
export interface XdsCounters {
  readonly streams: number;
  readonly responses: number;
  /** Resources in those responses, removals not counted. */
  readonly resources: number;
  /** Bytes of those responses without the framing of gRPC. */
  readonly bytes: number;
  readonly acknowledgements: number;
  readonly refusals: number;
  /** Streams of callers that showed no right to the gateway they asked for, and handshakes that failed. */
  readonly denials: number;
}

export type MutableCounters = { -readonly [K in keyof XdsCounters]: XdsCounters[K] };

/** What streams need of the server. */
export interface StreamContext {
  readonly store: ResourceStore;
  readonly limits: XdsLimits;
  readonly counters: MutableCounters;
  readonly authorize: (call: CallInfo, node: Node) => Admission | Promise<Admission>;
  readonly onDenial: (refusal: Refusal) => void;
  readonly onAcknowledgement: (acknowledgement: Acknowledgement) => void;
  /** An Envoy's stream begins or ends. */
  readonly onStream: (gateway: string, nodeId: string, open: boolean) => void;
  /** An Envoy has said which listeners it has, on a stream that is open. */
  readonly onListenersStated: (gateway: string, nodeId: string) => void;
  /** A RouteConfiguration is on its way to an Envoy. */
  readonly onTableSent: (gateway: string, nodeId: string, table: string) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Responses are bytes already: the serialise function passes them through. */
export type XdsCall<Request> = ServerDuplexStream<Request, Buffer>;

export interface OpenStream {
  end(code: status, details: string): void;
  /** Its client has more to take than it should be given at once. */
  isBehind(): boolean;
}

/**
 * A stream serves requests with a protocol: `begin` once the first request showed who calls, then `receive` for every
 * request, `next` whenever the socket can take a response, `finish` once.
 */
export interface Protocol<Request> {
  node(request: Request): Node | undefined;
  begin(gateway: string, node: Node, wake: () => void): Conversation<Request>;
}

export interface Conversation<Request> {
  receive(request: Request): void;
  /** Not called before the bytes that the last call gave are written: they may stand in the same memory. */
  next(now: number): Outgoing | undefined;
  /** When to call `next` again although nothing happens; of the same clock as `now`. */
  wakeAt(): number;
  /** Why the stream must end. */
  failure(): string | undefined;
  /** As in {@link OpenStream}; absent: never. */
  isBehind?(): boolean;
  finish(): void;
}

export interface Outgoing {
  readonly bytes: Buffer;
  readonly resources: number;
}

/** Runs a stream from its first request on. */
export function serveStream<Request>(
  call: XdsCall<Request>,
  protocol: Protocol<Request>,
  context: StreamContext,
): OpenStream & { readonly closed: Promise<void> } {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let conversation: Conversation<Request> | undefined;
  let outlet: Outlet | undefined;
  let expiry: NodeJS.Timeout | undefined;
  let ended = false;

  function finish(): void {
    if (ended) return;
    ended = true;
    clearTimeout(expiry);
    outlet?.close();
    conversation?.finish();
    resolve();
  }

  function end(code: status, details: string): void {
    if (ended) return;
    finish();
    call.emit("error", { code, details });
  }

  /** A bug in one stream's handling ends that stream: its client reconnects and states what it has. */
  function attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      context.onFailure(error);
      end(status.INTERNAL, "the control plane failed on this stream");
    }
  }

  function begin(request: Request, node: Node, admission: Admission): void {
    if (ended) return;
    if ("refused" in admission) {
      const { code, details } = describeRefusal(call, node, admission, context);
      end(code, details);
      return;
    }
    if (admission.until !== undefined) {
      const left = Math.min(Math.max(0, admission.until - Date.now()), STREAM_AGE_MAX_MILLISECONDS);
      expiry = setTimeout(
        end,
        left,
        status.UNAVAILABLE,
        "the credentials of this stream expire; connect again",
      ).unref();
    }
    conversation = protocol.begin(admission.gateway, node, () => outlet?.wake());
    outlet = createOutlet(call, conversation, context.counters, attempt, (failure) =>
      end(status.RESOURCE_EXHAUSTED, failure),
    );
    conversation.receive(request);
    outlet.wake();
  }

  function receive(request: Request): void {
    if (ended) return;
    if (conversation !== undefined) {
      conversation.receive(request);
      outlet?.wake();
      return;
    }
    if (!context.store.ready) {
      end(status.UNAVAILABLE, "the control plane is still reading its configuration; try again");
      return;
    }
    const node = protocol.node(request) ?? {};
    const admission = context.authorize(callInfo(call), node);
    if (!("then" in admission)) {
      begin(request, node, admission);
      return;
    }
    // Nothing more is read of a caller before it is known who it is.
    call.pause();
    admission.then(
      (decided) =>
        attempt(() => {
          begin(request, node, decided);
          call.resume();
        }),
      (error) =>
        attempt(() => {
          throw error;
        }),
    );
  }

  call.on("data", (request: Request) => attempt(() => receive(request)));
  call.on("end", () => {
    finish();
    call.end();
  });
  for (const event of ["cancelled", "close", "error"]) call.on(event, finish);
  return { end, closed, isBehind: () => conversation?.isBehind?.() ?? false };
}

interface Outlet {
  /** There may be something to send. */
  wake(): void;
  close(): void;
}

/**
 * The sending half of a stream. One write is in flight; until it is through only names are remembered, and the next response
 * is built from what is published then. So a slow client costs one response of memory and delays nobody.
 */
function createOutlet(
  call: Pick<XdsCall<unknown>, "write">,
  conversation: Pick<Conversation<unknown>, "next" | "wakeAt" | "failure">,
  counters: MutableCounters,
  attempt: (run: () => void) => void,
  fail: (failure: string) => void,
): Outlet {
  let writing = false;
  let closed = false;
  let scheduled: NodeJS.Immediate | undefined;
  let timer: NodeJS.Timeout | undefined;

  /** Later in this turn of the loop, so that requests that arrived together and a commit's changes make one response. */
  function wake(): void {
    if (!closed) scheduled ??= setImmediate(attempt, pump);
  }

  function pump(): void {
    scheduled = undefined;
    clearTimeout(timer);
    if (writing) return;
    const now = performance.now();
    const outgoing = conversation.next(now);
    const failure = conversation.failure();
    if (failure !== undefined) {
      fail(failure);
    } else if (outgoing !== undefined) {
      write(outgoing);
    } else if (conversation.wakeAt() < Number.POSITIVE_INFINITY) {
      timer = setTimeout(wake, Math.ceil(conversation.wakeAt() - now)).unref();
    }
  }

  function write({ bytes, resources }: Outgoing): void {
    counters.responses++;
    counters.resources += resources;
    counters.bytes += bytes.byteLength;
    writing = true;
    call.write(bytes, () => {
      writing = false;
      wake();
    });
  }

  function close(): void {
    closed = true;
    clearTimeout(timer);
    clearImmediate(scheduled);
  }

  return { wake, close };
}

function callInfo(call: Pick<XdsCall<unknown>, "getPeer" | "metadata" | "getAuthContext">): CallInfo {
  return { peer: call.getPeer(), metadata: call.metadata, certificate: call.getAuthContext().sslPeerCertificate };
}

/**
 * Envoy retries a refused stream with a growing pause whatever the code is, so the codes are for those who read its log:
 * UNAVAILABLE for what passes by itself, PERMISSION_DENIED for all else.
 */
function describeRefusal(
  call: Pick<XdsCall<unknown>, "getPeer">,
  node: Node,
  { refused: why, passing }: Extract<Admission, { refused: string }>,
  { counters, onDenial }: StreamContext,
): { readonly code: status; readonly details: string } {
  if (passing) return { code: status.UNAVAILABLE, details: why };
  counters.denials++;
  onDenial({ peer: call.getPeer(), why, node: { id: node.id ?? "", cluster: node.cluster ?? "" } });
  return { code: status.PERMISSION_DENIED, details: why };
}

/** Envoy's build, such as `envoy 1.40.0`: two of the same build judge a configuration alike. */
export function buildOf(node: Node): string {
  const version = node.userAgentBuildVersion?.version;
  const numbers = [version?.majorNumber ?? 0, version?.minorNumber ?? 0, version?.patch ?? 0].join(".");
  return `${node.userAgentName ?? ""} ${version === undefined ? (node.userAgentVersion ?? "") : numbers}`;
}
