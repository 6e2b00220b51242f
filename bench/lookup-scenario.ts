import { send } from "../test/harness/client.ts";
import { freePort } from "../test/harness/ports.ts";
import { pause, waitFor } from "../test/harness/waiting.ts";
import { startFloor } from "./floor.ts";
import { batchOf, createInProcessTable } from "./in-process-table.ts";
import { progress, type Recorder } from "./results.ts";
import type { SaturationMethods } from "./saturation-process.ts";
import { GATEWAY, gatewayObjects, type PlainObject } from "./table.ts";
import { startWorker } from "./worker.ts";

const CONNECTIONS = 32;
const DEPTH = 1;
const WARM_UP_MS = 500;
/** Rounds of first and last in turn, so that a noisy moment hits both. The best round counts: noise only ever slows down. */
const ROUNDS = 4;
const ROUND_MS = 1_000;
const START_LIMIT_MS = 60_000;

/** `one-host`: a prefix each on one host. `own-hosts`: a host each. */
export type Addressing = "one-host" | "own-hosts";

interface Place {
  readonly host: string;
  readonly path: string;
}

/**
 * How fast Envoy finds the first and the last of so many routes, in the tables that Gatehouse makes. The routes
 * redirect, so that Envoy answers by itself and nothing but its own work is measured; one worker thread.
 */
export async function runLookupScenario(addressing: Addressing, routes: number, recorder: Recorder): Promise<void> {
  progress(`${addressing}, ${routes} routes: requests per second`);
  const port = await freePort();
  const objects = gatewayObjects({ shape: "paths", port, backendPort: 0 });
  for (let i = 0; i < routes; i++) objects.push(redirectRoute(placeOf(addressing, i), i));
  const inProcess = createInProcessTable(batchOf(objects));
  const floor = await startFloor(inProcess.commit().changes, 1);
  inProcess.stop();
  const client = startWorker<SaturationMethods>("./saturation-process.ts");
  const places = { first: placeOf(addressing, 0), last: placeOf(addressing, routes - 1) };
  const best = { first: { rate: 0, us: 0 }, last: { rate: 0, us: 0 } };
  try {
    await waitFor("the routes", async () => (await send({ port, ...places.last })).status === 302, START_LIMIT_MS);
    const workerSeconds = () => floor.envoy.cpu().byThread.get("wrk:worker_0") ?? 0;
    const target = { port, statusLine: "HTTP/1.1 302", connections: CONNECTIONS, depth: DEPTH };
    await client.call("saturate", { ...target, ...places.first, milliseconds: WARM_UP_MS });
    for (let round = 0; round < ROUNDS; round++) {
      for (const place of ["first", "last"] as const) {
        const before = workerSeconds();
        const answered = await client.call("saturate", { ...target, ...places[place], milliseconds: ROUND_MS });
        const rate = (answered * 1_000) / ROUND_MS;
        if (rate > best[place].rate) best[place] = { rate, us: ((workerSeconds() - before) * 1e6) / answered };
        await pause(50);
      }
    }
    for (const place of ["first", "last"] as const) {
      recorder.add(`requests_per_second_${place}`, "per_second", best[place].rate);
      recorder.add(`envoy_cpu_per_request_${place}`, "us", best[place].us);
    }
  } finally {
    client.stop();
    await floor.stop();
  }
}

/** All prefixes are equally long, so that the order of the routes is that of their numbers. */
function placeOf(addressing: Addressing, index: number): Place {
  if (addressing === "own-hosts") return { host: `app-${index}.team-${index % 37}.example.com`, path: "/" };
  return { host: "one.example.com", path: `/service-${String(index).padStart(6, "0")}` };
}

function redirectRoute({ host, path }: Place, index: number): PlainObject {
  const requestRedirect = { hostname: "elsewhere.example.com", statusCode: 302 };
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: `route-${String(index).padStart(6, "0")}`, namespace: GATEWAY.namespace },
    spec: {
      parentRefs: [{ name: GATEWAY.name }],
      hostnames: [host],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: path } }],
          filters: [{ type: "RequestRedirect", requestRedirect }],
        },
      ],
    },
  };
}
