import type { EnvoyProxySpec } from "../api/envoyproxy.ts";

export type Metrics = NonNullable<NonNullable<EnvoyProxySpec["telemetry"]>["metrics"]>;

/** RE2 has no negation: what does not begin with `cluster.`, letter by letter. */
const NOT_OF_CLUSTERS = "([^c]|c[^l]|cl[^u]|clu[^s]|clus[^t]|clust[^e]|cluste[^r]|cluster[^.]).*";

/** Of each backend these alone are counted; Envoy's documentation, "Cluster manager statistics", says what they mean. */
const clusterStatistics = [
  ...["upstream_rq_total", "upstream_rq_[1-5]xx", "upstream_rq_time", "upstream_rq_active", "upstream_cx_active"],
  ...["membership_healthy", "outlier_detection.ejections_active", "outlier_detection.ejections_enforced_total"],
  // Zero as a rule, and what is zero takes no room in a scrape.
  ...["upstream_rq_timeout", "upstream_rq_per_try_timeout", "upstream_rq_rx_reset", "upstream_rq_retry"],
  ...["upstream_rq_retry_limit_exceeded", "upstream_rq_retry_overflow", "upstream_rq_pending_overflow"],
  ...["upstream_cx_connect_fail", "upstream_cx_connect_timeout", "upstream_cx_overflow", "upstream_cx_none_healthy"],
  ...["health_check.failure", "ssl.fail_.*", "ext_authz.*", "ratelimit.*"],
  // Of routes of the kind GRPCRoute, whose calls do not fail by their HTTP status.
  "grpc..*",
];

/** What `enableRequestResponseSizesStats` asks for. */
const SIZES = "upstream_r[qs]_(headers|body)_(size|count)";

/** A cluster's name ends with a word that has no dot: `service/namespace/name/port/hash`. One that people choose may have. */
function ofClusters({ clusterStatName, enableRequestResponseSizesStats }: Metrics): string {
  const name = clusterStatName !== undefined ? ".+" : "(.*/)?[^/.]+";
  const own = clusterStatistics.join("|").replace(/\.(?!\*)/g, "\\.");
  return `cluster\\.${name}\\.(${own}${enableRequestResponseSizesStats ? `|${SIZES}` : ""})`;
}

/** Upper bounds in milliseconds. Every bucket costs a line for each backend in use. */
const CLUSTER_BUCKETS_MS = [10, 50, 250, 1000, 5000];
const SIZE_BUCKETS_BYTES = [256, 1024, 4096, 16_384, 65_536, 1_048_576];

/** What the end of an Envoy waits for: see `src/infra/envoy-admin.ts`. */
const OF_DRAINING = "(listener|http)\\..*downstream_(cx|rq)_active";

/**
 * Which statistics exist. Envoy's own answer is all of them, about a hundred for each backend: at 10,000 backends in use a scrape
 * is then 104 MB and keeps the main thread, which also takes configuration, busy for 3 s. These defaults make it 0.4 s
 * (docs/performance.md); `telemetry.metrics.matches` takes their place.
 */
export function buildStatsConfig(metrics: Metrics): Record<string, unknown> {
  const { matches } = metrics;
  const regex = (expression: string) => ({ safe_regex: { regex: expression } });
  const patterns =
    matches === undefined
      ? [regex(NOT_OF_CLUSTERS), regex(ofClusters(metrics))]
      : [regex(OF_DRAINING), ...matches.map(({ type, value }) => buildPattern(type ?? "Exact", value))];
  return {
    stats_config: {
      stats_matcher: { inclusion_list: { patterns } },
      ...(matches === undefined && {
        histogram_bucket_settings: [
          ...(metrics.enableRequestResponseSizesStats
            ? [{ match: regex(`cluster\\..*${SIZES}`), buckets: SIZE_BUCKETS_BYTES }]
            : []),
          { match: { prefix: "cluster." }, buckets: CLUSTER_BUCKETS_MS },
        ],
      }),
    },
  };
}

type MatchType = NonNullable<NonNullable<Metrics["matches"]>[number]["type"]>;

function buildPattern(type: MatchType, value: string): object {
  switch (type) {
    case "Exact":
      return { exact: value };
    case "Prefix":
      return { prefix: value };
    case "Suffix":
      return { suffix: value };
    case "RegularExpression":
      return { safe_regex: { regex: value } };
  }
}
