import { readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Logger } from "../base/log.ts";
import type { Batch } from "../pipeline/pipeline.ts";

export interface FolderSink {
  stage(batch: Batch): void;
  complain(line: string): void;
  readonly log: Logger;
}
const col: Record<string, string> = {
  GatewayClass: "gatewayClasses",
  Gateway: "gateways",
  HTTPRoute: "httpRoutes",
  GRPCRoute: "grpcRoutes",
  ReferenceGrant: "referenceGrants",
  Namespace: "namespaces",
  Service: "services",
  EndpointSlice: "endpointSlices",
  Secret: "secrets",
  ConfigMap: "configMaps",
  Backend: "backends",
  HTTPRouteFilter: "httpRouteFilters",
};
export async function openFolder(directory: string, sink: FolderSink) {
  let before = new Map<string, [string, string]>();
  const read = () => {
    const now = new Map<string, [string, string]>();
    const batch: Record<string, Map<string, unknown>> = {};
    let files = 0;
    for (const f of readdirSync(directory, { recursive: true }) as string[]) {
      if (!f.endsWith(".yaml")) continue;
      files++;
      for (const d of parseAllDocuments(readFileSync(join(directory, f), "utf8"))) {
        const o = (d as any).toJS();
        if (!o?.kind) continue;
        const key =
          o.kind === "GatewayClass" || o.kind === "Namespace"
            ? o.metadata.name
            : `${(o.metadata.namespace ??= "default")}/${o.metadata.name}`;
        now.set(`${o.kind}|${key}`, [o.kind, key]);
        (batch[col[o.kind]!] ??= new Map()).set(key, o);
      }
    }
    for (const [k, [kind, key]] of before) if (!now.has(k)) (batch[col[kind]!] ??= new Map()).set(key, undefined);
    before = now;
    sink.stage(batch as Batch);
    return { files, objects: now.size };
  };
  const r = read();
  const w = watch(directory, { recursive: true }, () => {
    try {
      read();
    } catch (e) {
      sink.complain(String(e));
    }
  });
  return { ...r, close: async () => w.close() };
}
