import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** Where the operator's figures are read at the moment of a scrape. Counts run from the start of the process. */
export interface ClusterMetricSources {
  /** This replica writes statuses and infrastructure. */
  readonly leading: () => boolean;
  /** Kinds with a status, so that each is counted from 0 on. */
  readonly statusKinds: readonly string[];
  readonly status: () => {
    readonly writes: number;
    readonly reads: number;
    readonly skipped: number;
    readonly conflicts: number;
    readonly failures: Readonly<Record<string, number | undefined>>;
    /** Now, by lane. */
    readonly waiting: Readonly<Record<string, number>>;
    /** Now. */
    readonly postponed: number;
    /** Now. */
    readonly inFlight: number;
  };
  readonly api: () => {
    /** By method and outcome: `GET 200`, `PUT Timeout`. */
    readonly calls: ReadonlyMap<string, number>;
    /** Now. */
    readonly waiting: number;
  };
  readonly watches: () => readonly {
    readonly collection: string;
    readonly synced: boolean;
    readonly objects: number;
    readonly events: number;
    readonly failures: number;
  }[];
  /** Other replicas that there are, and those of them that have told what they know. */
  readonly replicas: () => { readonly others: number; readonly heard: number };
  /** Certificates in use, with the end of their validity in milliseconds since 1970. */
  readonly certificates: () => Iterable<{ readonly name: string; readonly expiresAtMilliseconds: number }>;
}

export interface ClusterMetrics {
  statusWritten(write: { readonly kind: string; readonly lane: string; readonly milliseconds: number }): void;
}

/** Seconds from a change to its status: an edit is to take less than one, a backlog of 10,000 less than sixty. */
const STATUS_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

type Samples = Iterable<readonly [labels: Readonly<Record<string, string>>, value: number]>;

interface Measure {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: readonly string[];
  readonly samples: () => Samples;
}

/** Adds what only an operator in a cluster has to tell. */
export function addClusterMetrics(registry: Registry, sources: ClusterMetricSources): ClusterMetrics {
  for (const counter of counters(sources)) addCounter(registry, counter);
  for (const gauge of gauges(sources)) addGauge(registry, gauge);
  const seconds = new Histogram({
    name: "gatehouse_status_write_seconds",
    help: "Time from a change to the API server's answer to the write of its status, by lane of the queue",
    labelNames: ["lane"],
    buckets: STATUS_BUCKETS,
    registers: [registry],
  });
  const byKind = new Counter({
    name: "gatehouse_status_writes_total",
    help: "Statuses written to the API server, by kind",
    labelNames: ["kind"],
    registers: [registry],
  });
  for (const kind of sources.statusKinds) byKind.inc({ kind }, 0);
  return {
    statusWritten({ kind, lane, milliseconds }) {
      seconds.observe({ lane }, milliseconds / 1000);
      byKind.inc({ kind });
    },
  };
}

function counters({ status, api, watches }: ClusterMetricSources): readonly Measure[] {
  return [
    {
      name: "gatehouse_status_reads_total",
      help: "Objects read before their status was written, to carry over times and others' entries",
      samples: () => single(status().reads),
    },
    {
      name: "gatehouse_status_skipped_total",
      help: "Changes after which a status turned out to read as it should already",
      samples: () => single(status().skipped),
    },
    {
      name: "gatehouse_status_conflicts_total",
      help: "Status writes that came second to somebody else's and were done again",
      samples: () => single(status().conflicts),
    },
    {
      name: "gatehouse_status_failures_total",
      help: "Status writes that failed and are tried again later, by reason",
      labelNames: ["reason"],
      samples: () => Object.entries(status().failures).map(([reason, count = 0]) => [{ reason }, count]),
    },
    {
      name: "gatehouse_api_calls_total",
      help: "Calls to the API server by method and outcome: an HTTP status, or a word when no answer came",
      labelNames: ["method", "outcome"],
      samples: () =>
        [...api().calls].map(([call, count]) => {
          const [method = "", outcome = ""] = call.split(" ");
          return [{ method, outcome }, count];
        }),
    },
    {
      name: "gatehouse_watch_events_total",
      help: "Events of watches, by collection",
      labelNames: ["collection"],
      samples: () => sumBy(watches(), ({ events }) => events),
    },
    {
      name: "gatehouse_watch_failures_total",
      help: "Lists and watches that ended in an error and were begun again, by collection",
      labelNames: ["collection"],
      samples: () => sumBy(watches(), ({ failures }) => failures),
    },
  ];
}

function gauges({ leading, status, api, watches, certificates, replicas }: ClusterMetricSources): readonly Measure[] {
  return [
    {
      name: "gatehouse_leader",
      help: "1 while this replica writes statuses and infrastructure, else 0",
      samples: () => single(Number(leading())),
    },
    {
      name: "gatehouse_other_replicas",
      help: "Other replicas that there are, by whether they tell this one of their Envoys",
      labelNames: ["heard"],
      samples: () => {
        const { others, heard } = replicas();
        return [
          [{ heard: "true" }, heard],
          [{ heard: "false" }, others - heard],
        ];
      },
    },
    {
      name: "gatehouse_status_queue_depth",
      help: "Statuses that wait for their turn, by lane; postponed: for the end of a pause",
      labelNames: ["lane"],
      samples: () => {
        const { waiting, postponed } = status();
        return Object.entries({ ...waiting, postponed }).map(([lane, depth]) => [{ lane }, depth]);
      },
    },
    {
      name: "gatehouse_status_in_flight",
      help: "Statuses that are being written now",
      samples: () => single(status().inFlight),
    },
    {
      name: "gatehouse_api_calls_waiting",
      help: "Calls that wait for the client's own rate limit now",
      samples: () => single(api().waiting),
    },
    {
      name: "gatehouse_watch_objects",
      help: "Objects that are followed, by collection",
      labelNames: ["collection"],
      samples: () => sumBy(watches(), ({ objects }) => objects),
    },
    {
      name: "gatehouse_watch_synced",
      help: "1 once a collection has been read in full, or is known not to exist; else 0",
      labelNames: ["collection"],
      samples: () => {
        const unsynced = new Set(watches().flatMap(({ synced, collection }) => (synced ? [] : [collection])));
        const collections = new Set(watches().map(({ collection }) => collection));
        return [...collections].map((collection) => [{ collection }, Number(!unsynced.has(collection))]);
      },
    },
    {
      name: "gatehouse_certificate_expiry_timestamp_seconds",
      help: "When a certificate in use ends to be valid, as seconds since 1970",
      labelNames: ["certificate"],
      samples: () =>
        [...certificates()].map(({ name, expiresAtMilliseconds }) => [
          { certificate: name },
          expiresAtMilliseconds / 1000,
        ]),
    },
  ];
}

function single(value: number): Samples {
  return [[{}, value]];
}

/** A collection may be followed in several namespaces. */
function sumBy<T extends { readonly collection: string }>(items: readonly T[], count: (item: T) => number): Samples {
  const sums = new Map<string, number>();
  for (const item of items) sums.set(item.collection, (sums.get(item.collection) ?? 0) + count(item));
  return [...sums].map(([collection, sum]) => [{ collection }, sum]);
}

function addCounter(registry: Registry, { samples, labelNames = [], ...texts }: Measure): void {
  new Counter({
    ...texts,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset();
      for (const [labels, value] of samples()) this.inc(labels, value);
    },
  });
}

function addGauge(registry: Registry, { samples, labelNames = [], ...texts }: Measure): void {
  new Gauge({
    ...texts,
    labelNames: [...labelNames],
    registers: [registry],
    collect() {
      this.reset();
      for (const [labels, value] of samples()) this.set(labels, value);
    },
  });
}
