import { expect, test } from "@jest/globals";
import type { ClientTrafficSettings } from "./client-traffic.ts";
import { type ClientListener, settleClientPort } from "./client-traffic-ports.ts";

/** What a policy has no effect on, on one listener that it names. */

type Listener = Partial<ClientListener["listener"]> & Pick<ClientListener["listener"], "protocol">;

const handshake: ClientTrafficSettings = { timeout: { tcp: { tlsHandshakeTimeout: "1s" } } };
const idle: ClientTrafficSettings = { timeout: { tcp: { idleTimeout: "1s" } } };
const defaultHost: ClientTrafficSettings = { http1: { http10: { useDefaultHost: true } } };
const terminated: Listener = { protocol: "TLS", tlsMode: "Terminate" };
const https: Listener = { protocol: "HTTPS", tlsMode: "Terminate" };

/** Name, listener, settings, the field that the status names. */
const cases: readonly (readonly [string, Listener, ClientTrafficSettings, string | null])[] = [
  ["the idle timeout of connections, on requests", { protocol: "HTTP" }, idle, "spec.timeout.tcp.idleTimeout"],
  ["the same over TLS", https, idle, "spec.timeout.tcp.idleTimeout"],
  ["the same on TCP", { protocol: "TCP" }, idle, null],
  ["the same on TLS", terminated, idle, null],
  ["the same on datagrams", { protocol: "UDP" }, idle, "spec.timeout"],
  ["the handshake, without TLS", { protocol: "HTTP" }, handshake, "spec.timeout.tcp.tlsHandshakeTimeout"],
  ["the handshake, on TCP", { protocol: "TCP" }, handshake, "spec.timeout.tcp.tlsHandshakeTimeout"],
  [
    "the handshake, passed through",
    { protocol: "TLS", tlsMode: "Passthrough" },
    handshake,
    "spec.timeout.tcp.tlsHandshakeTimeout",
  ],
  ["TLS, without it", { protocol: "TCP" }, { tls: { minVersion: "1.3" } }, "spec.tls.minVersion"],
  ["TLS, passed through", { protocol: "TLS", tlsMode: "Passthrough" }, { tls: { session: {} } }, "spec.tls.session"],
  ["a greeting, passed through", { protocol: "TLS", tlsMode: "Passthrough" }, { tls: { fingerprints: ["JA3"] } }, null],
  ["TLS, terminated", https, { tls: { minVersion: "1.3", fingerprints: ["JA3"] } }, null],
  ["the handshake, terminated", terminated, handshake, null],
  ["the handshake, of HTTPS", https, handshake, null],
  ["a default host, without a hostname", { protocol: "HTTP" }, defaultHost, "spec.http1.http10.useDefaultHost"],
  [
    "a default host, of a wildcard",
    { ...https, hostname: "*.a.test" },
    defaultHost,
    "spec.http1.http10.useDefaultHost",
  ],
  ["a default host, of a hostname", { protocol: "HTTP", hostname: "a.test" }, defaultHost, null],
  ["a default host, on connections", { protocol: "TCP" }, defaultHost, "spec.http1"],
];

test.each(cases)("%s", (_name, listener, settings, field) => {
  const from = { kind: "Gateway", key: "default/web", section: "one" } as const;
  const { findings } = settleClientPort({ port: 80, protocol: listener.protocol as "HTTP" }, [
    {
      listener: { gateway: "default/web", name: "one", ...listener },
      inherited: { policy: "default/policy", from },
      plan: { settings, refused: [], warnings: [] },
    },
  ]);
  const reports = findings.map(({ problem }) => [problem.condition, problem.reason, problem.field]);
  expect(reports).toEqual(field === null ? [] : [["Warning", "NoEffect", field]]);
});
