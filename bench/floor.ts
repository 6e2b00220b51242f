import { type ResourceChange, resourceTypes } from "../src/envoy/resource.ts";
import { buildBootstrap } from "../src/translate/bootstrap.ts";
import { encodeDeltaResponse } from "../src/xds/response.ts";
import { type EnvoyProcess, startEnvoy } from "../test/harness/envoy.ts";
import type { FloorMethods, InitialResponses, ScriptedResponse } from "./floor-process.ts";
import { GATEWAY } from "./table.ts";
import { startWorker } from "./worker.ts";

/** A fresh Envoy behind the server that does nothing. */
export interface Floor {
  readonly envoy: EnvoyProcess;
  /** Sends the update's responses over; nothing is written to Envoy yet. */
  arm(changes: readonly ResourceChange[]): Promise<{ readonly bytes: number }>;
  /** Writes them in the order of the real server; returns the time of the first write. */
  fire(): Promise<bigint>;
  stop(): Promise<void>;
}

export async function startFloor(initial: readonly ResourceChange[], concurrency: number): Promise<Floor> {
  const server = startWorker<FloorMethods>("./floor-process.ts");
  const port = await server.call("start", initialResponses(initial));
  const gateway = `${GATEWAY.namespace}/${GATEWAY.name}`;
  const bootstrap = buildBootstrap({
    node: { id: "floor", cluster: gateway },
    xds: { address: { host: "127.0.0.1", port } },
    admin: { port: 0 },
  });
  const envoy = await startEnvoy({ config: bootstrap, concurrency });
  let nonces = 0;
  return {
    envoy,
    async arm(changes) {
      const responses = scriptUpdate(changes, () => `floor-${++nonces}`);
      await server.call("arm", responses);
      return { bytes: responses.reduce((sum, response) => sum + response.bytes.byteLength, 0) };
    },
    fire: () => server.call("fire", undefined),
    async stop() {
      await envoy.stop();
      server.stop();
    },
  };
}

/**
 * One response for each type: were the clusters split, Envoy would ask for the endpoints of the first part alone, and drop the
 * others of an answer that holds all.
 */
function initialResponses(changes: readonly ResourceChange[]): InitialResponses {
  const responses: Record<string, Uint8Array> = {};
  for (const type of Object.values(resourceTypes)) {
    const resources = changes.flatMap((change) =>
      change.type === type && change.resource !== undefined ? [change.resource] : [],
    );
    // Envoy opens no listener before it knows its clusters, be it that there are none.
    if (resources.length === 0 && type !== resourceTypes.cluster) continue;
    responses[type] = encodeDeltaResponse({ type, nonce: `initial-${type}`, resources, removed: [] });
  }
  return responses;
}

/**
 * The responses of one update in the real server's order: new clusters with their endpoints, and only after the
 * acknowledgement of the clusters the table; a removed cluster after the acknowledgement of the table.
 */
function scriptUpdate(changes: readonly ResourceChange[], nextNonce: () => string): ScriptedResponse[] {
  const { cluster, endpoints, listener, route } = resourceTypes;
  const responses: ScriptedResponse[] = [];
  const put = (type: ResourceChange["type"], removals: boolean): string | undefined => {
    const own = changes.filter((change) => change.type === type && (change.resource === undefined) === removals);
    if (own.length === 0) return undefined;
    const nonce = nextNonce();
    const resources = own.flatMap(({ resource }) => (resource === undefined ? [] : [resource]));
    const removed = removals ? own.map(({ name }) => name) : [];
    responses.push({ type, nonce, bytes: encodeDeltaResponse({ type, nonce, resources, removed }) });
    return nonce;
  };
  const waitFor = (nonce: string | undefined) => {
    const last = responses.pop();
    if (last !== undefined) responses.push(nonce === undefined ? last : { ...last, awaitedNonce: nonce });
  };
  const newClusters = put(cluster, false);
  put(endpoints, false);
  // Only now: Envoy acknowledges a cluster when it has its endpoints.
  waitFor(newClusters);
  put(listener, false);
  waitFor(put(route, false));
  put(cluster, true);
  return responses;
}
