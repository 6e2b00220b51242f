import { expect, test } from "@jest/globals";
import type { ClientTrafficSettings } from "./client-traffic.ts";
import { type ClientListener, settleClientPort } from "./client-traffic-ports.ts";
import { judgeHttp3 } from "./http3.ts";
import type { ListenerCertificates, ListenerPlan } from "./model.ts";

/** Whether a listener is served over HTTP/3, and why not. */

const plan: ListenerPlan = {
  gateway: "default/web",
  name: "one",
  index: 0,
  protocol: "HTTPS",
  port: 443,
  supportedKinds: [],
  allowedNamespaces: { from: "Same" },
  tlsMode: "Terminate",
  certificateRefs: [],
  problems: [],
  valid: true,
  routeTable: "default/web/one",
};
const held: ListenerCertificates = {
  gateway: "default/web",
  name: "one",
  secrets: ["default/pair"],
  dnsNames: [],
  problems: [],
};

interface Surroundings {
  readonly listener?: Partial<ListenerPlan>;
  readonly settings?: ClientTrafficSettings;
  readonly certificates?: Partial<ListenerCertificates>;
  readonly datagrams?: boolean;
  /** Protocols of all listeners for which the policy counts. */
  readonly beside?: readonly string[];
  readonly section?: string;
}

/** Name, what differs from a listener that is served, what the status says; undefined: it is served. `nothing`: neither. */
const cases: readonly (readonly [string, Surroundings, RegExp | "nothing" | null])[] = [
  ["HTTPS", {}, null],
  ["the newest TLS", { settings: { tls: { maxVersion: "1.3" } } }, null],
  ["whatever TLS", { settings: { tls: { maxVersion: "Auto" } } }, null],
  ["older TLS", { settings: { tls: { maxVersion: "1.2" } } }, /needs TLS 1.3, and spec.tls.maxVersion is 1.2/],
  ["no certificate", { certificates: { secrets: [] } }, "nothing"],
  [
    "certificates of clients",
    { certificates: { clientValidation: { trust: ["configmap/default/ca"], required: false, verified: false } } },
    /UnsupportedHTTP3ClientValidation .* asks clients for certificates/,
  ],
  ["a port of UDP that is taken", { datagrams: true }, /port 443 of UDP, which listener default\/web\/dns has/],
  ["plain HTTP, named", { listener: { protocol: "HTTP" }, section: "one" }, "nothing"],
  ["plain HTTP beside HTTPS", { listener: { protocol: "HTTP" }, beside: ["HTTP", "HTTPS"] }, "nothing"],
  ["plain HTTP alone", { listener: { protocol: "HTTP" }, beside: ["HTTP", "TLS"] }, /NoEffect .* needs TLS/],
  ["connections", { listener: { protocol: "TLS" } }, "nothing"],
];

test.each(cases)("%s", (_name, around, expected) => {
  const { section } = around;
  const listener = { ...plan, ...around.listener };
  const own: ClientListener = {
    listener,
    inherited: {
      policy: "default/policy",
      from: { kind: "Gateway", key: "default/web", ...(section !== undefined && { section }) },
    },
    plan: { settings: { http3: {}, ...around.settings }, refused: [], warnings: [] },
  };
  const { http3 = [] } = settleClientPort({ port: 443, protocol: listener.protocol as "HTTPS" }, [own]);
  const { listeners, findings } = judgeHttp3({ port: 443, listeners: [listener] }, http3, {
    certificatesOf: () => ({ ...held, ...around.certificates }),
    datagramListeners: around.datagrams ? [{ gateway: "default/web", name: "dns" }] : [],
    listenersAt: () => (around.beside ?? [listener.protocol]).map((protocol) => ({ protocol })),
  });
  expect(listeners).toEqual(expected === null ? [listener] : []);
  const said = findings.map(({ problem: { reason, message } }) => `${reason} ${message}`);
  expect(said).toEqual(expected instanceof RegExp ? [expect.stringMatching(expected)] : []);
});
