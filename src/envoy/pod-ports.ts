/** Ports of every Envoy pod, as in Envoy Gateway. */
export const podPorts = { admin: 19000, stats: 19001, shutdown: 19002, ready: 19003 } as const;
