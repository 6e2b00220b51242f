import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { send } from "../harness/client.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../harness/directory.ts";
import { type GatehouseProcess, startGatehouse } from "../harness/gatehouse.ts";
import { gatewayYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";

/**
 * Two Gateways with the same listeners and routes, one of them with so many other hosts that its table is served in buckets: whatever
 * is asked, the real Envoy answers the same. ROUNDS=500 by hand; some 40 answers a round.
 */

const ROUNDS = Number(process.env["ROUNDS"] ?? 12);
const REQUESTS = 40;
const ROUTES_MAX = 12;
const FILLERS = 1_500;
const SEED = Number(process.env["SEED"] ?? 20_261_201);
const LIMIT_MS = 60_000;
const listenerHosts = [undefined, "*.a.test", "*.b.a.test", "c.b.a.test"];

let files: TemporaryDirectory;
let gatehouse: GatehouseProcess;
const ports = { plain: 0, large: 0 };

const labels = fc.constantFrom("a", "b", "c", "x1", "y-2");
const name = fc.array(labels, { minLength: 0, maxLength: 3 }).map((parts) => [...parts, "a.test"].join("."));
const hostname = fc
  .tuple(fc.boolean(), name, fc.constantFrom("", "", "other.org"))
  .map(([isWildcard, own, other]) => `${isWildcard ? "*." : ""}${other || own}`);
const route = fc.record({
  hostnames: fc.uniqueArray(hostname, { maxLength: 3 }),
  path: fc.constantFrom("/", "/p", "/p/q"),
});
const requested = fc
  .record({
    host: fc.oneof(name, fc.constantFrom("other.org", "deep.other.org", "nobody.example", "a.test", "127.0.0.1")),
    shape: fc.constantFrom("plain", "upper", "port", "dot", "dot and port", "deeper"),
    path: fc.constantFrom("/", "/p", "/p/q/r", "/px"),
  })
  .map(({ host, shape, path }) => ({ host: shaped(host, shape), path }));

function shaped(host: string, shape: string): string {
  switch (shape) {
    case "upper":
      return host.toUpperCase();
    case "port":
      return `${host}:8080`;
    case "dot":
      return `${host}.`;
    case "dot and port":
      return `${host}.:8080`;
    case "deeper":
      return `z.${host}`;
    default:
      return host;
  }
}

/** Every route redirects to a host of its own, so that an answer tells which one it was. */
function routeYaml(id: string, gateways: readonly string[], hostnames: readonly string[], path: string): string {
  return JSON.stringify({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: id },
    spec: {
      parentRefs: gateways.map((gateway) => ({ name: gateway })),
      ...(hostnames.length > 0 && { hostnames }),
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: path } }],
          filters: [{ type: "RequestRedirect", requestRedirect: { hostname: `${id}.found`, statusCode: 302 } }],
        },
      ],
    },
  });
}

beforeAll(async () => {
  files = temporaryDirectory();
  for (const gateway of ["plain", "large"] as const) {
    ports[gateway] = await freePort();
    const listeners = listenerHosts.map(
      (host, index) =>
        `{name: l${index}, protocol: HTTP, port: ${ports[gateway]}${host === undefined ? "" : `, hostname: "${host}"`}}`,
    );
    files.writeAtomically(`${gateway}.yaml`, gatewayYaml({ name: gateway, listeners: `[${listeners.join()}]` }));
  }
  const fillers = Array.from({ length: FILLERS }, (_, i) =>
    routeYaml(`filler-${i}`, ["large"], [`f${i}.filler.example`], "/"),
  );
  files.writeAtomically("fillers.yaml", fillers.join("\n---\n"));
  gatehouse = await startGatehouse({ directory: files.path });
}, LIMIT_MS);

afterAll(async () => {
  await gatehouse?.stop();
  files?.discard();
}, LIMIT_MS);

async function answer(port: number, host: string, path: string): Promise<string> {
  const { status, headers } = await send({ port, host, path });
  // Of the Gateway's own, and so not the same.
  return `${status} ${String(headers["location"] ?? "").replace(`:${port}`, "")}`;
}

test(
  "what is served in buckets answers as what is not",
  async () => {
    const rounds = fc.sample(
      fc.tuple(
        fc.array(route, { minLength: 1, maxLength: ROUTES_MAX }),
        fc.array(requested, { minLength: REQUESTS, maxLength: REQUESTS }),
      ),
      { numRuns: ROUNDS, seed: SEED },
    );
    const statuses = new Set<string>();
    for (const [round, [routes, requests]] of rounds.entries()) {
      const both = ["plain", "large"];
      const marker = routeYaml(`round-${round}`, both, [`round-${round}.marker.example`], "/");
      const texts = routes.map(({ hostnames, path }, i) => routeYaml(`r${round}-${i}`, both, hostnames, path));
      files.writeAtomically("routes.yaml", [...texts, marker].join("\n---\n"));
      for (const port of Object.values(ports)) {
        await waitFor(
          `round ${round}`,
          async () => (await answer(port, `round-${round}.marker.example`, "/")).includes(`round-${round}.found`),
          LIMIT_MS,
        );
      }
      for (const { host, path } of requests) {
        // Buckets come one after the other where all of them change.
        await waitFor(`the same answer for ${host}${path} in round ${round}`, async () => {
          const [expected, found] = [await answer(ports.plain, host, path), await answer(ports.large, host, path)];
          if (expected !== found) throw new Error(`${found} instead of ${expected}`);
          statuses.add(expected.slice(0, 3));
          return true;
        });
      }
    }
    expect([...statuses].sort()).toEqual(["302", "404"]);
    const dump = await (await gatehouse.envoyAdmin("default/large")).admin(
      "/config_dump?resource=dynamic_route_configs",
    );
    expect(dump).toContain("#127");
  },
  30 * LIMIT_MS,
);
