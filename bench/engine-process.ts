import { createAuthority } from "../test/harness/certificates.ts";
import { percentile } from "../test/harness/percentile.ts";
import { batchOf, createInProcessTable, type InProcessTable } from "./in-process-table.ts";
import { GATEWAY, gatewayObjects, type PlainObject } from "./table.ts";
import { serve } from "./worker.ts";

const PORT = 8_080;
const BYTES_PER_MEGABYTE = 1e6;
const CERTIFICATE_NAME = "wildcard.example.com";
const namespace = GATEWAY.namespace;
const gatewayApi = "gateway.networking.k8s.io/v1";

export interface EngineFigures {
  readonly coldMs: number;
  readonly coldCpuMs: number;
  /** Heap of the objects as they came in, and of everything made of them. */
  readonly objectsMegabytes: number;
  readonly derivedMegabytes: number;
  readonly edits: readonly EditFigures[];
}

interface EditFigures {
  readonly label: string;
  readonly milliseconds: readonly number[];
  /** User and system time of the whole process for each edit, garbage collection included. */
  readonly cpuMs: number;
  /** Transforms that one edit ran: the median. */
  readonly transforms: number;
}

/** A Gateway with an HTTP and an HTTPS listener; every route has a host, a Service and an EndpointSlice of its own. */
function measure({ routes, edits }: { routes: number; edits: number }): EngineFigures {
  const authority = createAuthority();
  const secrets = [0, 1].map(() => secret(authority.issue({ dnsNames: [`*.${CERTIFICATE_NAME}`] })));
  const heapBefore = usedHeap();
  const objects: PlainObject[] = [...gatewayObjects({ shape: "hosts", port: PORT, backendPort: 0 }).slice(0, 1)];
  objects.push(gateway(false), secrets[0]!);
  for (let i = 0; i < routes; i++) objects.push(route(i, "0"), service(i), endpointSlice(i, 1));
  const batch = batchOf(objects);
  objects.length = 0;
  const objectsMegabytes = (usedHeap() - heapBefore) / BYTES_PER_MEGABYTE;

  const table = createInProcessTable(batch);
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  table.commit();
  const coldMs = performance.now() - startMs;
  const coldCpuMs = cpuSince(cpu);
  const derivedMegabytes = (usedHeap() - heapBefore) / BYTES_PER_MEGABYTE - objectsMegabytes;

  const spread = (i: number) => Math.floor(((i + 0.5) * routes) / edits) % routes;
  const figures: EditFigures[] = [
    measureEdits(table, "route", edits, (i) => [route(spread(i), `updated-${i}`)]),
    measureEdits(table, "endpoint", edits, (i) => [endpointSlice(spread(i), 2 + i)]),
    measureEdits(table, "certificate", edits, (i) => [secrets[(i + 1) % 2]!]),
    measureEdits(table, "gateway", edits, (i) => [gateway(i % 2 === 0)]),
  ];
  table.stop();
  return { coldMs, coldCpuMs, objectsMegabytes, derivedMegabytes, edits: figures };
}

function measureEdits(
  table: InProcessTable,
  label: string,
  count: number,
  edit: (index: number) => readonly PlainObject[],
): EditFigures {
  const batches = Array.from({ length: count }, (_, i) => batchOf(edit(i)));
  usedHeap();
  const milliseconds: number[] = [];
  const transforms: number[] = [];
  const cpu = process.cpuUsage();
  for (const batch of batches) {
    const startMs = performance.now();
    table.stage(batch);
    const { report, changes } = table.commit();
    milliseconds.push(performance.now() - startMs);
    if (changes.length === 0) throw new Error(`a ${label} edit changed nothing: the bench measures the wrong thing`);
    transforms.push([...report.runs.values()].reduce((sum, runs) => sum + runs, 0));
  }
  const cpuMs = cpuSince(cpu) / count;
  return {
    label,
    milliseconds,
    cpuMs,
    transforms: percentile(
      transforms.sort((a, b) => a - b),
      0.5,
    ),
  };
}

function usedHeap(): number {
  global.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

/** The edit of the Gateway takes a listener in and out that all routes attach to. */
function gateway(second: boolean): PlainObject {
  const allowedRoutes = { namespaces: { from: "All" } };
  const listeners: object[] = [
    { name: "http", protocol: "HTTP", port: PORT, allowedRoutes },
    {
      name: "https",
      protocol: "HTTPS",
      port: PORT + 1,
      hostname: `*.${CERTIFICATE_NAME}`,
      tls: { mode: "Terminate", certificateRefs: [{ name: "certificate" }] },
      allowedRoutes,
    },
  ];
  if (second) listeners.push({ name: "second", protocol: "HTTP", port: PORT + 2, allowedRoutes });
  return {
    apiVersion: gatewayApi,
    kind: "Gateway",
    metadata: { ...GATEWAY },
    spec: { gatewayClassName: "gatehouse", listeners },
  };
}

function route(index: number, revision: string): PlainObject {
  return {
    apiVersion: gatewayApi,
    kind: "HTTPRoute",
    metadata: { name: `route-${index}`, namespace },
    spec: {
      parentRefs: [{ name: GATEWAY.name }],
      hostnames: [`host-${index}.example.com`],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/" } }],
          filters: [
            {
              type: "URLRewrite",
              urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/anything" } },
            },
            {
              type: "ResponseHeaderModifier",
              responseHeaderModifier: { add: [{ name: "x-revision", value: revision }] },
            },
          ],
          backendRefs: [{ name: `service-${index}`, port: 80 }],
        },
      ],
    },
  };
}

function service(index: number): PlainObject {
  const ports = [{ name: "http", port: 80, targetPort: 8_080, protocol: "TCP" }];
  return { apiVersion: "v1", kind: "Service", metadata: { name: `service-${index}`, namespace }, spec: { ports } };
}

function endpointSlice(index: number, last: number): PlainObject {
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: `service-${index}-abcde`,
      namespace,
      labels: { "kubernetes.io/service-name": `service-${index}` },
    },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8_080, protocol: "TCP" }],
    endpoints: [{ addresses: [`10.0.0.${last % 250}`], conditions: { ready: true } }],
  };
  return slice as PlainObject;
}

function secret(pair: { certificate: string; key: string }): PlainObject {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const object = {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: { name: "certificate", namespace },
    data: { "tls.crt": base64(pair.certificate), "tls.key": base64(pair.key) },
  };
  return object as PlainObject;
}

const methods = { measure };
export type EngineMethods = typeof methods;

serve(methods);
