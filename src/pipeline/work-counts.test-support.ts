/** Runs of each node when what one route puts on one host changes, from there to its table and its status. */
export const changedEntries = {
  hostEntries: 1,
  servedEntries: 1,
  entriesByHost: 1,
  virtualHosts: 1,
  routeOverlaps: 1,
  hostsByTable: 1,
  routeConfigurations: 1,
  tableShapes: 1,
  routeReports: 1,
};

/** What an edit of a BackendTrafficPolicy runs of the policy itself, and of one route from where it takes policies over. */
export const settingsOfPolicy = { headsOfBackendTrafficPolicy: 1, backendTraffic: 1, policyReports: 1 };
export const routeTraffic = { routePolicies: 1, clusterUses: 1, ...changedEntries };
