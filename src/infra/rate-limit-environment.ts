import { RATE_LIMIT_NODE } from "../attach/rate-limit.ts";

/** gRPC's own limit of 4 MiB would be some ten thousand limits: the service is sent all of them at once. */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

/**
 * How the reference rate limit service (github.com/envoyproxy/ratelimit) is told to fetch its configuration from Gatehouse: variables of
 * its environment, wherever it runs. It starts without one and lets everything pass until it has it, as a new Envoy has no routes yet.
 *
 * @param xdsAddress in the form of gRPC: `host:port` or `unix:///path`
 */
export function xdsEnvironment(xdsAddress: string): Readonly<Record<string, string>> {
  return {
    CONFIG_TYPE: "GRPC_XDS_SOTW",
    CONFIG_GRPC_XDS_NODE_ID: RATE_LIMIT_NODE,
    CONFIG_GRPC_XDS_SERVER_URL: xdsAddress,
    FORCE_START_WITHOUT_INITIAL_CONFIG: "true",
    XDS_CLIENT_MAX_MSG_SIZE_IN_BYTES: String(MESSAGE_BYTES_MAX),
    XDS_CLIENT_BACKOFF_INITIAL_INTERVAL: "200ms",
    XDS_CLIENT_BACKOFF_MAX_INTERVAL: "5s",
  };
}

/** @param url `host:port`, or whatever else the service understands of the addresses of a Redis */
export function redisEnvironment(url: string): Readonly<Record<string, string>> {
  return { BACKEND_TYPE: "redis", REDIS_SOCKET_TYPE: url.startsWith("/") ? "unix" : "tcp", REDIS_URL: url };
}
