import { Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";
import type { ReplicaNews, Replicas } from "../../pipeline/replicas.ts";
import { KEEPALIVE_TIME_MILLISECONDS, KEEPALIVE_TIMEOUT_MILLISECONDS } from "../limits.ts";
import { createSecureListener, type TlsMaterial } from "../secure-listener.ts";
import type { Refusal } from "../stream.ts";
import { encodeMessage, FOLLOW_PATH, MESSAGE_LIMIT_BYTES, mergeNews } from "./messages.ts";

export interface PeerServerOptions {
  readonly replicas: Pick<Replicas, "listen">;
  /** The one name that a replica's certificate has; nobody else is told anything. */
  readonly identity: string;
  readonly onDenial: (refusal: Refusal) => void;
}

/** Tells other replicas what the Envoys of this one have and said. */
export interface PeerServer {
  setCertificates(material: TlsMaterial): void;
  /** @returns the port that was taken */
  listen(host: string, port: number): Promise<number>;
  close(): void;
}

type Call = ServerWritableStream<Buffer, Buffer>;

export function createPeerServer({ replicas, identity, onDenial }: PeerServerOptions): PeerServer {
  const server = new Server({
    "grpc.max_receive_message_length": 0,
    "grpc.max_send_message_length": MESSAGE_LIMIT_BYTES,
    "grpc.keepalive_time_ms": KEEPALIVE_TIME_MILLISECONDS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MILLISECONDS,
  });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const secure = createSecureListener({
    clientCertificates: true,
    onConnection: (socket) => injector.injectConnection(socket),
    onDenial,
  });
  server.addService(
    { follow: followMethod },
    {
      follow(call: Call) {
        const names = call.getAuthContext().sslPeerCertificate?.subjectaltname ?? "";
        if (names === `URI:${identity}`) return serve(call, replicas);
        const why = `the client's certificate is for ${names.slice(0, NAMES_SHOWN_MAX) || "nobody"}, and not of a replica`;
        onDenial({ peer: call.getPeer(), why });
        call.emit("error", { code: status.PERMISSION_DENIED, details: why });
      },
    },
  );
  return {
    setCertificates: (material) => secure.update(material),
    listen: (host, port) => secure.listen(host, port),
    close() {
      secure.close();
      server.forceShutdown();
    },
  };
}

const NAMES_SHOWN_MAX = 500;

export const followMethod = {
  path: FOLLOW_PATH,
  requestStream: false,
  responseStream: true,
  requestSerialize: (bytes: Buffer) => bytes,
  requestDeserialize: (bytes: Buffer) => bytes,
  responseSerialize: (bytes: Buffer) => bytes,
  responseDeserialize: (bytes: Buffer) => bytes,
} as const;

/** One message is on its way at a time; what is new meanwhile becomes one. */
function serve(call: Call, replicas: Pick<Replicas, "listen">): void {
  let waiting: ReplicaNews | undefined;
  let writing = false;
  const write = (news: ReplicaNews, complete: boolean) => {
    writing = true;
    call.write(encodeMessage({ ...news, complete }), () => {
      writing = false;
      const next = waiting;
      waiting = undefined;
      if (next !== undefined) write(next, false);
    });
  };
  const { all, stop } = replicas.listen((news) => {
    if (writing) waiting = waiting === undefined ? news : mergeNews(waiting, news);
    else write(news, false);
  });
  for (const event of ["cancelled", "close", "error"]) call.on(event, stop);
  write(all, true);
}
