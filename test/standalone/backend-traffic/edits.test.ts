import { expect, test } from "@jest/globals";
import { listenerChanges } from "../../harness/envoy.ts";
import { waitFor } from "../../harness/waiting.ts";
import { type Content, testTrafficCases } from "./world.ts";

/** A policy under load, edited from one group of fields to the next; what is seen of the last edit shows that it is in effect. */
const edits: readonly (readonly [group: string, spec: Content, shown: RegExp])[] = [
  ["timeout.http", { timeout: { http: { requestTimeout: "9s" } } }, /"timeout": "9s"/],
  ["timeout.tcp", { timeout: { tcp: { connectTimeout: "11s" } } }, /"connect_timeout": "11s"/],
  [
    "loadBalancer and circuitBreaker",
    { circuitBreaker: { maxConnections: 77 }, loadBalancer: { type: "Random" } },
    /load_balancing_policies.random/,
  ],
  [
    "loadBalancer.zoneAware",
    { loadBalancer: { type: "RoundRobin", zoneAware: { weightedZones: [{ zone: "a", weight: 3 }] } } },
    /load_balancing_policies.round_robin/,
  ],
  ["retry", { retry: { numRetries: 1 } }, /"num_retries": 1/],
  [
    "healthCheck",
    { healthCheck: { active: { type: "TCP", tcp: {}, interval: "13s" } } },
    /"interval": "13s"[^}]*"tcp_health_check"/,
  ],
  ["connection", { connection: { bufferLimit: "70Ki" } }, /"per_connection_buffer_limit_bytes": 71680/],
  ["tcpKeepalive", { tcpKeepalive: { probes: 17 } }, /"keepalive_probes": 17/],
  ["useClientProtocol", { useClientProtocol: true }, /use_downstream_protocol_config/],
  ["faultInjection", { faultInjection: { delay: { fixedDelay: "19ms" } } }, /"fixed_delay": "0.019s"/],
  ["requestBuffer", { requestBuffer: { limit: "23Ki" } }, /"max_request_bytes": 23552/],
  ["compressor", { compressor: [{ type: "Gzip", minContentLength: 29 }] }, /"min_content_length": 29/],
  [
    "bandwidthLimit",
    { bandwidthLimit: { response: { limit: { value: "31Mi", unit: "Second" } } } },
    /"limit_kbps": "31744"/,
  ],
  [
    "responseOverride",
    { responseOverride: [{ match: { statusCodes: [{ value: 437 }] }, response: { statusCode: 200 } }] },
    /"exact": "437"/,
  ],
  [
    "rateLimit.local",
    { rateLimit: { local: { rules: [{ limit: { requests: 410_000, unit: "Second" } }] } } },
    /"max_tokens": 410000/,
  ],
  ["admissionControl", { admissionControl: { samplingWindow: "43s" } }, /"sampling_window": "43s"/],
  ["httpUpgrade", { httpUpgrade: [{ type: "CONNECT" }] }, /"connect_matcher"/],
  ["telemetry", { telemetry: { tracing: { tags: { edited: "%REQ(:PATH)%" } } } }, /"tag": "edited"/],
  ["nothing", {}, /"virtual_hosts"(?![\s\S]*"tag": "edited")/],
];

const NAME = "edited under load";
const world = testTrafficCases([
  {
    name: NAME,
    spec: {},
    backends: 2,
    check: async ({ send }) => expect((await send()).status).toBe(200),
  },
]);

test("an edit of any group of fields loses no request and changes no Listener", async () => {
  const { admin, edit, placeOf } = world();
  const { send } = placeOf(NAME);
  const changedListeners = () => listenerChanges({ admin });
  const before = await changedListeners();
  let done = false;
  const statuses = new Map<number, number>();
  const traffic = (async () => {
    while (!done) {
      const { status } = await send();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  })();
  try {
    for (const [group, spec, shown] of edits) {
      edit(NAME, spec);
      await waitFor(`the edit of ${group}`, async () => shown.test(await admin("/config_dump")));
      expect([group, [...statuses.keys()]]).toEqual([group, [200]]);
    }
  } finally {
    done = true;
    await traffic;
  }
  expect([...statuses.keys()]).toEqual([200]);
  expect(await changedListeners()).toBe(before);
}, 60_000);
