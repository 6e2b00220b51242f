/** How an Envoy is ended. All in milliseconds. */
export interface DrainSettings {
  /** Longest time to wait for connections to end. */
  readonly timeoutMs: number;
  /** Shortest time to keep serving: load balancers need it to notice. */
  readonly minimumMs: number;
  /** Time to drain connections before health checks begin to fail. */
  readonly healthCheckDelayMs: number;
}

/** Paths of the shutdown manager: it answers the second once Envoy is drained, and drains it on the third, asked by its socket. */
export const SHUTDOWN_HEALTH_PATH = "/healthz";
export const READY_WAIT_PATH = "/shutdown/ready";
export const SHUTDOWN_PATH = "/shutdown";
