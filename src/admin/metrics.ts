import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Figures of one commit of the pipeline. */
export interface CommitFigures {
  /** Time inside the engine. */
  readonly milliseconds: number;
  /** Calls of each node's function. */
  readonly runs: ReadonlyMap<string, number>;
}

/** Where figures are read at the moment of a scrape. */
export interface MetricSources {
  /** Counts of the xDS server since its start; `streams`: open now. */
  readonly xds: () => {
    readonly streams: number;
    readonly responses: number;
    readonly resources: number;
    readonly bytes: number;
    readonly acknowledgements: number;
    readonly refusals: number;
    readonly denials: number;
  };
  /** Connected Envoys by gateway. */
  readonly connected: () => ReadonlyMap<string, number>;
  /** Translations that failed by a bug and keep their last good output. */
  readonly failures: () => number;
}

export interface Metrics {
  readonly registry: Registry;
  committed(figures: CommitFigures): void;
}

/** Upper bounds in seconds: a route edit takes about a millisecond, a cold start of 10,000 routes a few seconds. */
const COMMIT_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** An endpoint costs one call, a route a handful, a cold start of 10,000 routes some 100,000. */
const WORK_BUCKETS = [1, 3, 10, 30, 100, 300, 1_000, 10_000, 100_000];

/** Prometheus metrics in a registry of their own, so that two instances in one process (tests) do not meet. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const commits = new Histogram({
    name: "gatehouse_commit_seconds",
    help: "Time that one commit of changes took inside the engine",
    buckets: COMMIT_BUCKETS,
    registers,
  });
  const work = new Histogram({
    name: "gatehouse_commit_transform_runs",
    help: "Calls of functions of the dataflow graph that one commit took",
    buckets: WORK_BUCKETS,
    registers,
  });
  const runs = new Counter({
    name: "gatehouse_transform_runs_total",
    help: "Calls of the function of each node of the dataflow graph: the work that changes cost",
    labelNames: ["node"],
    registers,
  });
  for (const [field, name, help] of xdsHelp) {
    registry.registerMetric(
      new Counter({
        name: `gatehouse_xds_${name}_total`,
        help,
        registers: [],
        collect() {
          this.reset();
          this.inc(sources.xds()[field]);
        },
      }),
    );
  }
  new Gauge({
    name: "gatehouse_xds_streams",
    help: "xDS streams that are open now",
    registers,
    collect() {
      this.set(sources.xds().streams);
    },
  });
  new Gauge({
    name: "gatehouse_connected_envoys",
    help: "Envoys of a gateway that are connected now",
    labelNames: ["gateway"],
    registers,
    collect() {
      this.reset();
      for (const [gateway, count] of sources.connected()) this.set({ gateway }, count);
    },
  });
  new Gauge({
    name: "gatehouse_translation_failures",
    help: "Keys whose translation failed by a bug and that keep their last good output",
    registers,
    collect() {
      this.set(sources.failures());
    },
  });
  return {
    registry,
    committed(figures) {
      commits.observe(figures.milliseconds / 1000);
      let total = 0;
      for (const [node, count] of figures.runs) {
        runs.inc({ node }, count);
        total += count;
      }
      work.observe(total);
    },
  };
}

const xdsHelp = [
  ["responses", "responses_sent", "xDS responses sent"],
  ["resources", "resources_sent", "Resources in xDS responses, removals not counted"],
  ["bytes", "bytes_sent", "Bytes of xDS responses"],
  ["acknowledgements", "acknowledgements", "xDS responses that Envoys accepted"],
  ["refusals", "refusals", "xDS responses that Envoys refused"],
  ["denials", "denials", "xDS streams and TLS handshakes of clients that showed no right to what they asked for"],
] as const;
