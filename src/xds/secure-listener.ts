import { constants, X509Certificate } from "node:crypto";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket, TlsOptions } from "node:tls";
import { createServer } from "node:tls";
import { CONNECTIONS_MAX, HANDSHAKE_TIMEOUT_MILLISECONDS, TIMER_MAX_MILLISECONDS } from "./limits.ts";
import type { Refusal } from "./stream.ts";

/** What the server shows and whom it believes, all in PEM. */
export interface TlsMaterial {
  /** Leaf first. */
  readonly certificate: string;
  readonly key: string;
  /** Authorities of client certificates, one after the other. */
  readonly authorities: string;
}

export interface SecureListenerOptions {
  /** True: only clients with a certificate of one of the authorities. False: clients show who they are by other means. */
  readonly clientCertificates: boolean;
  readonly onConnection: (socket: TLSSocket) => void;
  readonly onDenial: (refusal: Refusal) => void;
}

export interface SecureListener {
  /**
   * Takes effect for the next handshake; connections that are open stay, except those whose client certificate no authority
   * vouches for any more.
   *
   * @throws Error when certificate and key do not fit each other, or something is no PEM; what was there before stays
   */
  update(material: TlsMaterial): void;
  listen(host: string, port: number): Promise<number>;
  /** Takes no more connections. Open ones are left to their owner. */
  close(): void;
}

/**
 * A TLS 1.3 socket whose certificates can change while it is open. Written around `node:tls` because the TLS of grpc-js
 * neither tells of refused handshakes, nor can require TLS 1.3, nor ends a connection with the certificate that opened it.
 */
export function createSecureListener(options: SecureListenerOptions): SecureListener {
  const { clientCertificates } = options;
  const open = new Set<TLSSocket>();
  let loaded = false;
  let authorities: readonly X509Certificate[] = [];
  const server = createServer({
    ...fixed,
    requestCert: clientCertificates,
    // Refused below all the same, but there the peer's address and what is wrong are still known.
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    handshakeTimeout: HANDSHAKE_TIMEOUT_MILLISECONDS,
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.prependListener("connection", (socket: Socket) => {
    if (!loaded) socket.destroy();
  });
  server.on("secureConnection", (socket) => {
    socket.on("error", () => {});
    if (clientCertificates && !socket.authorized) {
      options.onDenial({ peer: peerOf(socket), why: `the client certificate is refused: ${whyUnauthorized(socket)}` });
      socket.destroy();
      return;
    }
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    if (clientCertificates) endWithCertificate(socket);
    options.onConnection(socket);
  });
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
    options.onDenial({ peer: peerOf(socket), why: `the TLS handshake failed: ${error.code ?? error.message}` });
  });

  return {
    update(material) {
      const { certificate: cert, key, authorities: ca } = material;
      const now = splitCertificates(ca);
      if (now.length === 0) throw new Error("no authority in PEM: no client could be believed");
      server.setSecureContext({ ...fixed, cert, key, ca });
      loaded = true;
      const before = authorities;
      authorities = now;
      const lost = before.some(({ raw }) => !authorities.some((each) => each.raw.equals(raw)));
      if (lost) for (const socket of open) if (!isVouchedFor(socket, authorities)) socket.destroy();
    },
    async listen(host, port) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      server.once("error", reject);
      server.listen({ host, port }, resolve);
      await promise;
      server.off("error", reject);
      return (server.address() as AddressInfo).port;
    },
    close: () => void server.close(),
  };
}

/**
 * No session is resumed: a resumed one would pass without its certificate being looked at again. (With this option OpenSSL
 * keeps TLS 1.3 sessions in its cache, which Node switches off.)
 */
const fixed: TlsOptions = { minVersion: "TLSv1.3", secureOptions: constants.SSL_OP_NO_TICKET };

/** A connection is worth as much as the certificate that opened it, so it ends when that does. Its Envoy has a newer one by then. */
function endWithCertificate(socket: TLSSocket): void {
  const left = Date.parse(socket.getPeerCertificate().valid_to) - Date.now();
  const timer = setTimeout(() => socket.destroy(), Math.min(Math.max(0, left), TIMER_MAX_MILLISECONDS)).unref();
  socket.on("close", () => clearTimeout(timer));
}

function whyUnauthorized(socket: TLSSocket): string {
  const shown = socket.getPeerCertificate().raw !== undefined;
  return shown ? String(socket.authorizationError) : "there is none";
}

function isVouchedFor(socket: TLSSocket, authorities: readonly X509Certificate[]): boolean {
  const { raw } = socket.getPeerCertificate();
  if (raw === undefined) return true;
  const certificate = new X509Certificate(raw);
  return authorities.some((each) => certificate.checkIssued(each) && certificate.verify(each.publicKey));
}

const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function splitCertificates(pem: string): X509Certificate[] {
  return (pem.match(certificateBlock) ?? []).map((block) => new X509Certificate(block));
}

function peerOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? "unknown" : `${socket.remoteAddress}:${socket.remotePort}`;
}
