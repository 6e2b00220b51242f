/**
 * Measures the status writer on a real API server: how long N routes take to their first status, how long the status of a fresh
 * edit takes meanwhile, and what a restart writes.
 *
 *   node test/status-writer/ten-thousand-routes.ts [before|live] [routes=10000] [gateways=20]
 *
 * `before`: the routes are there when the writer starts; `live`: they are created while it runs, so a user has just created each.
 */
import type { WrittenStatus } from "../../src/status/writer.ts";
import { startApiServer } from "../cluster/control-plane.ts";
import { percentile } from "../harness/percentile.ts";
import { pause } from "../harness/waiting.ts";
import { installCrds } from "../kube/gateway-api.ts";
import { gateway, gatewayClass, route } from "./objects.ts";
import { type Instance, OURS, parentsOf, pathOf, type Stored, startInstance } from "./world.ts";

const mode = process.argv[2] ?? "before";
const routes = Number(process.argv[3] ?? 10_000);
const gateways = Number(process.argv[4] ?? 20);
const CREATORS = 16;
const EDIT_EVERY_MS = 500;

const server = await startApiServer();
const post = (object: { kind: string }) => server.rest.json(pathOf(object.kind), { method: "POST", body: object });
const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(1);

try {
  await installCrds(server);
  await post(gatewayClass("class"));
  for (let i = 0; i < gateways; i++) await post(gateway(`gateway-${i}`, "class"));
  if (mode === "before") await createRoutes();
  const begun = performance.now();
  const options = { kubeconfigPath: server.kubeconfigPath, access: server.rest.access };
  const byKind: Record<string, number> = {};
  const onWritten = ({ kind }: WrittenStatus) => {
    byKind[kind] = (byKind[kind] ?? 0) + 1;
  };
  const instance = await startInstance({ ...options, onWritten });
  console.log(`read and computed after ${seconds(begun)} s`);
  await measure(instance, mode === "before" ? Promise.resolve() : createRoutes());
  await instance.stop();
  console.log(`writes by kind: ${JSON.stringify(byKind)}`);

  const again = await startInstance(options);
  await again.settled();
  const { writes, reads } = again.writer.figures();
  console.log(`after a restart: ${JSON.stringify({ writes, reads })}`);
  await again.stop();
} finally {
  await server.stop();
}

async function createRoutes(): Promise<void> {
  const begun = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: CREATORS }, async () => {
      for (let i = next++; i < routes; i = next++) await post(route(`route-${i}`, [`gateway-${i % gateways}`]));
    }),
  );
  console.log(`${routes} routes on ${gateways} Gateways created in ${seconds(begun)} s`);
}

async function measure(instance: Instance, created: Promise<void>): Promise<void> {
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const latencies: number[] = [];
  let creating = true;
  created.finally(() => {
    creating = false;
  });
  await pause(EDIT_EVERY_MS);
  const waiting = () => instance.writer.figures().waiting;
  for (let edit = 0; creating || waiting().routes + waiting().created > 0; edit++) {
    latencies.push(await measureEdit(`route-${(edit * 7919) % Math.min(routes, 100)}`));
    await pause(EDIT_EVERY_MS);
  }
  await created;
  while (instance.writer.figures().inFlight > 0) await pause(20);
  const { writes, reads, conflicts, failures } = instance.writer.figures();
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const counts = JSON.stringify({ writes, reads, conflicts, failures });
  console.log(`first statuses of all after ${seconds(begun)} s: ${counts}`);
  console.log(
    `edits meanwhile: ${latencies.length}, status after p50 ${show(latencies, 0.5)}, max ${show(latencies, 1)} ms`,
  );
  console.log(`this process (watch, computing, writing): ${((user + system) / 1e6).toFixed(1)} s of CPU`);
  await instance.settled();
}

function show(sorted: readonly number[], share: number): string {
  return percentile(sorted, share).toFixed(0);
}

/** Milliseconds from the answer to an edit until its generation is in the status. */
async function measureEdit(name: string): Promise<number> {
  const body = { spec: { hostnames: [`${name}-${Math.random().toString(36).slice(2)}.example.com`] } };
  const edited = await server.rest.json<Stored>(pathOf("HTTPRoute", name), {
    method: "PATCH",
    contentType: "application/merge-patch+json",
    body,
  });
  const start = performance.now();
  for (;;) {
    const own = parentsOf(await server.rest.json<Stored>(pathOf("HTTPRoute", name))).find(
      ({ controllerName }) => controllerName === OURS,
    );
    if (own?.conditions[0]?.observedGeneration === edited.metadata.generation) return performance.now() - start;
    await pause(5);
  }
}
