/** Every wait and bound of the xDS server. Times in milliseconds, sizes in bytes. */
export interface XdsLimits {
  /** How long a route table waits for the acknowledgement of clusters that this Envoy does not have yet (docs/architecture.md section 6). */
  readonly clusterWaitMilliseconds: number;
  /** How long it waits in all for an Envoy that has not come to look at these clusters, or takes one after the other of them. */
  readonly slowEnvoyWaitMilliseconds: number;
  /** Clusters that an Envoy has yet to take beyond which it is behind, and more of the same change is kept from it. */
  readonly clustersBehind: number;
  /** How long a removed cluster is kept for the acknowledgement of the tables that dropped it (docs/architecture.md section 6). */
  readonly removalWaitMilliseconds: number;
  /** Clusters in one response that removes them: some 10 ms of Envoy's main thread, between which it takes edits. */
  readonly maxClusterRemovals: number;
  /** How long such a response blocks the next one when Envoy does not answer. */
  readonly removalPauseMilliseconds: number;
  /**
   * How long a removed scope of a route table is kept: connections of a filter chain that was replaced are drained, and use it
   * meanwhile. Longer than the 600 s in which Envoy does that.
   */
  readonly scopeWaitMilliseconds: number;
  /**
   * How long a pushed RouteConfiguration or Listener blocks the next version of itself when Envoy does not answer. Longer than
   * the 5 s that a scrape of a large Envoy's metrics keeps its main thread busy would only delay the table further.
   */
  readonly pushWaitMilliseconds: number;
  /** Bytes of a Listener that keep Envoy's main thread busy for a millisecond when it takes a new version: 684 kB took 120 ms. */
  readonly listenerBytesPerMillisecond: number;
  /** How long after a listener could not open its port it is tried again; doubles up to the maximum. */
  readonly retryMilliseconds: number;
  readonly maxRetryMilliseconds: number;
  /** Size at which a response is closed and the rest goes into the next one. One larger resource travels alone. */
  readonly responseBytes: number;
  /** Responses of one type that may be unacknowledged; more are not sent until an acknowledgement arrives. */
  readonly maxUnacknowledged: number;
  /** Age of the oldest of those at which the stream is given up: Envoy reconnects and states what it has. */
  readonly stallMilliseconds: number;
  /** Names that one stream may subscribe to per type. */
  readonly maxSubscribedNames: number;
}

export const defaultLimits: XdsLimits = {
  clusterWaitMilliseconds: 2_000,
  slowEnvoyWaitMilliseconds: 10_000,
  clustersBehind: 250,
  removalWaitMilliseconds: 5_000,
  maxClusterRemovals: 200,
  removalPauseMilliseconds: 1_000,
  scopeWaitMilliseconds: 660_000,
  pushWaitMilliseconds: 5_000,
  listenerBytesPerMillisecond: 5_000,
  retryMilliseconds: 250,
  maxRetryMilliseconds: 10_000,
  responseBytes: 1 << 20,
  maxUnacknowledged: 4_096,
  stallMilliseconds: 60_000,
  maxSubscribedNames: 1_000_000,
};

/** A reconnecting Envoy lists every name it has in one request: 10,000 clusters with endpoints are about 2 MB. */
export const RECEIVE_LIMIT_BYTES = 64 << 20;

/** HTTP/2 pings find a peer that is gone without a reset. A busy Envoy may not answer for 5 s. */
export const KEEPALIVE_TIME_MILLISECONDS = 30_000;
export const KEEPALIVE_TIMEOUT_MILLISECONDS = 20_000;

/** What is left to the streams of a connection that has reached its greatest age, if one is set. */
export const CONNECTION_AGE_GRACE_MILLISECONDS = 120_000;

/** A stream whose credentials never expire shows them again after a day. */
export const STREAM_AGE_MAX_MILLISECONDS = 24 * 60 * 60 * 1000;

/** Node.js fires a timer of more than this at once. */
export const TIMER_MAX_MILLISECONDS = 2 ** 31 - 1;

/** A TLS handshake takes two round trips; who needs longer holds a socket for nothing. */
export const HANDSHAKE_TIMEOUT_MILLISECONDS = 10_000;
/** Connections that are served at once, each an Envoy: beyond it new ones are closed before their handshake. */
export const CONNECTIONS_MAX = 10_000;
