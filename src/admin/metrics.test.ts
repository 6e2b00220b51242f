import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { addClusterMetrics, type ClusterMetricSources, type ClusterMetrics } from "./cluster-metrics.ts";
import { createMetrics, type Metrics } from "./metrics.ts";

const sources: ClusterMetricSources = {
  leading: () => true,
  statusKinds: ["HTTPRoute", "Gateway"],
  status: () => ({
    writes: 9,
    reads: 3,
    skipped: 4,
    conflicts: 1,
    failures: { Forbidden: 2 },
    waiting: { edited: 5, routes: 6 },
    postponed: 7,
    inFlight: 8,
  }),
  api: () => ({
    calls: new Map([
      ["GET 200", 20],
      ["PUT Timeout", 1],
    ]),
    waiting: 2,
  }),
  watches: () => [
    { collection: "secrets", synced: true, objects: 2, events: 3, failures: 0 },
    { collection: "secrets", synced: false, objects: 4, events: 5, failures: 1 },
    { collection: "gateways", synced: true, objects: 1, events: 0, failures: 0 },
  ],
  replicas: () => ({ others: 2, heard: 1 }),
  certificates: () => [{ name: "xds-server", expiresAtMilliseconds: 1_800_000_000_000 }],
};

function create(): { readonly metrics: Metrics; readonly cluster: ClusterMetrics } {
  const xds = { streams: 0, responses: 0, resources: 0, bytes: 0, acknowledgements: 0, refusals: 0, denials: 0 };
  const metrics = createMetrics({ xds: () => xds, connected: () => new Map(), failures: () => 0 });
  return { metrics, cluster: addClusterMetrics(metrics.registry, sources) };
}

test("the document lists exactly the metrics that there are, with their types and labels", async () => {
  const { metrics } = create();
  const document = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const documented = [...document.matchAll(/^\| `(gatehouse_\w+)` +\| (\w+) +\|([^|]*)\|/gm)].map(
    ([, name, type, labels = ""]) => `${name} ${type} ${[...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label)}`,
  );
  const registered = metrics.registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith("gatehouse_"))
    .map((metric) => {
      const { name, labelNames } = metric as unknown as { readonly name: string; readonly labelNames: string[] };
      return `${name} ${metric.constructor.name.toLowerCase()} ${labelNames}`;
    });
  expect(documented.sort()).toEqual(registered.sort());
});

test("figures are those of the moment of the scrape", async () => {
  const { metrics, cluster } = create();
  cluster.statusWritten({ kind: "HTTPRoute", lane: "edited", milliseconds: 30 });
  metrics.committed({
    milliseconds: 2,
    runs: new Map([
      ["attachments", 4],
      ["clusters", 1],
    ]),
  });
  await metrics.registry.metrics();
  const lines = (await metrics.registry.metrics()).split("\n");
  expect(lines).toEqual(
    expect.arrayContaining([
      'gatehouse_status_writes_total{kind="HTTPRoute"} 1',
      'gatehouse_status_writes_total{kind="Gateway"} 0',
      'gatehouse_status_write_seconds_bucket{le="0.05",lane="edited"} 1',
      'gatehouse_status_write_seconds_bucket{le="0.025",lane="edited"} 0',
      'gatehouse_status_queue_depth{lane="edited"} 5',
      'gatehouse_status_queue_depth{lane="postponed"} 7',
      "gatehouse_status_in_flight 8",
      "gatehouse_status_reads_total 3",
      "gatehouse_status_skipped_total 4",
      "gatehouse_status_conflicts_total 1",
      'gatehouse_status_failures_total{reason="Forbidden"} 2',
      'gatehouse_api_calls_total{method="GET",outcome="200"} 20',
      'gatehouse_api_calls_total{method="PUT",outcome="Timeout"} 1',
      "gatehouse_api_calls_waiting 2",
      'gatehouse_watch_objects{collection="secrets"} 6',
      'gatehouse_watch_events_total{collection="secrets"} 8',
      'gatehouse_watch_failures_total{collection="secrets"} 1',
      'gatehouse_watch_synced{collection="secrets"} 0',
      'gatehouse_watch_synced{collection="gateways"} 1',
      'gatehouse_certificate_expiry_timestamp_seconds{certificate="xds-server"} 1800000000',
      "gatehouse_leader 1",
      "gatehouse_commit_transform_runs_sum 5",
      'gatehouse_transform_runs_total{node="attachments"} 4',
    ]),
  );
});
