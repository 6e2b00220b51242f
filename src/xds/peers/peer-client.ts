import { Client, type ClientReadableStream, credentials, Metadata } from "@grpc/grpc-js";
import { KEEPALIVE_TIME_MILLISECONDS, KEEPALIVE_TIMEOUT_MILLISECONDS } from "../limits.ts";
import { decodeMessage, FOLLOW_PATH, MESSAGE_LIMIT_BYTES, type PeerMessage } from "./messages.ts";

/** What a replica shows another, and whom it believes, all in PEM. */
export interface PeerMaterial {
  readonly client: { readonly certificate: string; readonly key: string };
  readonly authorities: string;
}

export interface PeerClientOptions {
  /** `address:port`. */
  readonly address: string;
  /** The name that the other's certificate has, as xDS clients ask for it. */
  readonly serverName: string;
  /** Asked before each attempt; undefined: there is none yet. */
  readonly material: () => PeerMaterial | undefined;
  readonly onMessage: (message: PeerMessage) => void;
  /** An attempt failed, or a stream ended; `heard`: it had brought messages. */
  readonly onEnd: (end: { readonly heard: boolean; readonly why: string }) => void;
}

export interface PeerClient {
  readonly heard: boolean;
  /** It was heard once, or an attempt failed. */
  readonly tried: boolean;
  close(): void;
}

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 5_000;

/** Follows one other replica until `close`, whatever the network does. */
export function followPeer(options: PeerClientOptions): PeerClient {
  let client: Client | undefined;
  let call: ClientReadableStream<PeerMessage> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let heard = false;
  let tried = false;
  let closed = false;

  function attempt(): void {
    const material = options.material();
    if (material === undefined) {
      retry("there is no certificate to show yet");
      return;
    }
    client = connect(options, material);
    const mine = client.makeServerStreamRequest(FOLLOW_PATH, passOn, decodeMessage, Buffer.alloc(0), new Metadata());
    call = mine;
    mine.on("data", (message: PeerMessage) => {
      if (call !== mine) return;
      failures = 0;
      heard = tried = true;
      options.onMessage(message);
    });
    mine.on("error", (error) => call === mine && retry(error.message));
    mine.on("end", () => call === mine && retry("the stream ended"));
  }

  function retry(why: string): void {
    if (closed || timer !== undefined) return;
    drop();
    const pause = Math.min(RETRY_MIN_MS * 2 ** failures++, RETRY_MAX_MS) * (0.5 + Math.random() / 2);
    timer = setTimeout(() => {
      timer = undefined;
      attempt();
    }, pause).unref();
    const end = { heard, why };
    tried = true;
    heard = false;
    options.onEnd(end);
  }

  function drop(): void {
    const ended = call;
    call = undefined;
    ended?.cancel();
    client?.close();
    client = undefined;
  }

  attempt();
  return {
    get heard() {
      return heard;
    },
    get tried() {
      return tried;
    },
    close() {
      closed = true;
      clearTimeout(timer);
      drop();
    },
  };
}

const passOn = (bytes: Buffer) => bytes;

function connect({ address, serverName }: PeerClientOptions, { client, authorities }: PeerMaterial): Client {
  const [ca, key, certificate] = [authorities, client.key, client.certificate].map((pem) => Buffer.from(pem));
  return new Client(address, credentials.createSsl(ca!, key!, certificate!), {
    "grpc.ssl_target_name_override": serverName,
    "grpc.default_authority": serverName,
    "grpc.max_receive_message_length": MESSAGE_LIMIT_BYTES,
    "grpc.keepalive_time_ms": KEEPALIVE_TIME_MILLISECONDS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MILLISECONDS,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
  });
}
