import { pack } from "../src/envoy/any.ts";
import { Listener } from "../src/envoy/generated/envoy/config/listener/v3/listener.ts";
import type { FilterChain } from "../src/envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { HttpConnectionManager } from "../src/envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { type EncodedResource, encodeResource, type ResourceChange, resourceTypes } from "../src/envoy/resource.ts";
import { createAuthority, type KeyPair } from "../test/harness/certificates.ts";
import { send } from "../test/harness/client.ts";
import { median } from "../test/harness/percentile.ts";
import { freePort } from "../test/harness/ports.ts";
import { openRawConnection } from "../test/harness/raw-connection.ts";
import { pause, waitFor } from "../test/harness/waiting.ts";
import { startFloor } from "./floor.ts";
import { batchOf, createInProcessTable } from "./in-process-table.ts";
import { progress, type Recorder } from "./results.ts";
import type { SaturationMethods } from "./saturation-process.ts";
import { awaitRest } from "./stage.ts";
import { GATEWAY, gatewayObjects, type PlainObject } from "./table.ts";
import { startWorker } from "./worker.ts";

const CONNECTIONS = 32;
const DEPTH = 1;
const WARM_UP_MS = 1_000;
/** Each listener in turn, so that a noisy moment hits both. */
const ROUNDS = 12;
const ROUND_MS = 1_000;
const START_LIMIT_MS = 60_000;
/** HTTPS listeners of the Gateway, each a filter chain; 64 is as many as it may have. */
const CHAINS = 63;
const UPDATES = 12;
const CERTIFICATE_NAME = "certificate";
const HOST = "one.example.com";

/**
 * What the HTTP filters that stand disabled in every chain cost a request: two listeners that lead to the same route, one as Gatehouse makes it, one
 * without them. The route redirects, so that nothing but Envoy's own work is measured; one worker thread, whose CPU is divided by requests, which
 * a busy machine changes little.
 */
export async function runDisabledFiltersScenario(recorder: Recorder): Promise<void> {
  await measureRequests(recorder);
  await measureUpdates(recorder);
}

async function measureRequests(recorder: Recorder): Promise<void> {
  progress("disabled-filters: CPU per request with them and without");
  const ports = { with: await freePort(), without: await freePort() };
  const inProcess = createInProcessTable(batchOf(objectsFor(ports)));
  const stripped = inProcess.commit().changes.map((change) => strip(change, ports.without));
  inProcess.stop();
  const floor = await startFloor(
    stripped.map(({ change }) => change),
    1,
  );
  recorder.add("disabled_filters", "count", Math.max(...stripped.map(({ filters }) => filters)));
  const client = startWorker<SaturationMethods>("./saturation-process.ts");
  const workerSeconds = () => floor.envoy.cpu().byThread.get("wrk:worker_0") ?? 0;
  const costs: Record<keyof typeof ports, number[]> = { with: [], without: [] };
  try {
    for (const port of Object.values(ports)) {
      const isServed = async () => (await send({ port, host: HOST, path: "/" })).status === 302;
      await waitFor("the route", isServed, START_LIMIT_MS);
    }
    const target = { host: HOST, path: "/", statusLine: "HTTP/1.1 302", connections: CONNECTIONS, depth: DEPTH };
    for (let round = -1; round < ROUNDS; round++) {
      for (const which of ["with", "without"] as const) {
        const milliseconds = round < 0 ? WARM_UP_MS : ROUND_MS;
        const before = workerSeconds();
        const answered = await client.call("saturate", { ...target, port: ports[which], milliseconds });
        if (round >= 0) costs[which].push(((workerSeconds() - before) * 1e6) / answered);
        await pause(50);
      }
    }
    for (const which of ["with", "without"] as const)
      recorder.addDistribution(`cpu_per_request_${which}`, "us", costs[which]);
    recorder.add("cpu_of_disabled_filters", "us", median(costs.with) - median(costs.without));
  } finally {
    client.stop();
    await floor.stop();
  }
}

/** What they cost Envoy's main thread when a Listener of many chains gets one more, or one fewer. */
async function measureUpdates(recorder: Recorder): Promise<void> {
  const authority = createAuthority();
  const pair = authority.issue({ dnsNames: ["*.example.com"] });
  const costs: number[] = [];
  for (const which of ["with", "without"] as const) {
    progress(`disabled-filters: a Listener of ${CHAINS} chains, ${which} them`);
    const port = await freePort();
    const take = (changes: readonly ResourceChange[]) =>
      which === "with" ? changes : changes.map((change) => strip(change, port).change);
    const inProcess = createInProcessTable(batchOf([...tlsObjects(port, CHAINS), certificateObject(pair)]));
    const floor = await startFloor(take(inProcess.commit().changes), 1);
    try {
      const opens = async () => (await openRawConnection(port)).destroy() === undefined;
      await waitFor("the listener", opens, START_LIMIT_MS);
      await awaitRest([floor.envoy.pid]);
      const measured: number[] = [];
      for (let update = 0; update < UPDATES; update++) {
        inProcess.stage(batchOf(tlsObjects(port, CHAINS + ((update + 1) % 2))));
        await floor.arm(take(inProcess.commit().changes));
        const before = floor.envoy.cpu().main;
        await floor.fire();
        measured.push((floor.envoy.cpu().main - before) * 1_000);
      }
      recorder.addDistribution(`listener_update_${which}`, "ms", measured);
      costs.push(median(measured));
    } finally {
      inProcess.stop();
      await floor.stop();
    }
  }
  recorder.add("listener_update_of_disabled_filters", "ms", costs[0]! - costs[1]!);
}

function tlsObjects(port: number, count: number): PlainObject[] {
  const [gatewayClass, gateway] = gatewayObjects({ shape: "hosts", port, backendPort: 0 });
  const listeners = Array.from({ length: count }, (_, index) => ({
    name: `tls-${index}`,
    protocol: "HTTPS",
    port,
    hostname: `host-${index}.example.com`,
    tls: { certificateRefs: [{ name: CERTIFICATE_NAME }] },
  }));
  return [gatewayClass!, { ...gateway!, spec: { gatewayClassName: "gatehouse", listeners } }];
}

function certificateObject({ certificate, key }: KeyPair): PlainObject {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: { name: CERTIFICATE_NAME, namespace: GATEWAY.namespace },
    data: { "tls.crt": base64(certificate), "tls.key": base64(key) },
  };
}

function objectsFor(ports: { readonly with: number; readonly without: number }): PlainObject[] {
  const [gatewayClass, gateway] = gatewayObjects({ shape: "hosts", port: ports.with, backendPort: 0 });
  const listeners = Object.entries(ports).map(([name, port]) => ({ name, protocol: "HTTP", port }));
  const route: PlainObject = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "redirect", namespace: GATEWAY.namespace },
    spec: {
      parentRefs: [{ name: GATEWAY.name }],
      hostnames: [HOST],
      rules: [
        {
          filters: [
            { type: "RequestRedirect", requestRedirect: { hostname: "elsewhere.example.com", statusCode: 302 } },
          ],
        },
      ],
    },
  };
  return [gatewayClass!, { ...gateway!, spec: { gatewayClassName: "gatehouse", listeners } }, route];
}

/** The Listener of a port without the filters that are off; all else as it is. */
function strip(change: ResourceChange, port: number): { readonly change: ResourceChange; readonly filters: number } {
  const { type, name, resource } = change;
  if (type !== resourceTypes.listener || resource?.port !== port) return { change, filters: 0 };
  const listener = Listener.decode(bytesOf(resource));
  let filters = 0;
  const stripChain = (chain: FilterChain): FilterChain => ({
    ...chain,
    filters: (chain.filters ?? []).map((filter) => {
      if (!filter.typedConfig?.typeUrl?.endsWith(HttpConnectionManager.$type)) return filter;
      const manager = HttpConnectionManager.decode(filter.typedConfig.value ?? new Uint8Array());
      const httpFilters = manager.httpFilters?.filter(({ disabled }) => !disabled) ?? [];
      filters += (manager.httpFilters?.length ?? 0) - httpFilters.length;
      return { ...filter, typedConfig: pack(HttpConnectionManager, { ...manager, httpFilters }) };
    }),
  });
  const { filterChains = [], defaultFilterChain } = listener;
  const chains = {
    filterChains: filterChains.map(stripChain),
    ...(defaultFilterChain && { defaultFilterChain: stripChain(defaultFilterChain) }),
  };
  const own = encodeResource(Listener, name, { ...listener, ...chains }, resource.dependents);
  return { change: { ...change, resource: { ...own, port } }, filters };
}

function bytesOf({ chunks }: EncodedResource): Uint8Array {
  return Buffer.concat(chunks);
}
