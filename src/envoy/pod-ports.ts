/** Ports of every Envoy pod, as in Envoy Gateway. */
export const podPorts = { stats: 19001, shutdown: 19002, ready: 19003 } as const;

/**
 * Sockets that the containers of an Envoy pod share, for what only they may ask: Envoy's admin interface, and the beginning of its
 * end. A port of 127.0.0.1 would be in reach of requests, by a Backend of type DynamicResolver or a name that leads to loopback.
 */
export const podSockets = {
  folder: "/envoy-admin",
  admin: "/envoy-admin/admin.sock",
  shutdown: "/envoy-admin/shutdown.sock",
} as const;
