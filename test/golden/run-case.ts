import { parseAllDocuments } from "yaml";
import { collectionOf, validateObject } from "../../src/api/kinds.ts";
import type { KubernetesObject } from "../../src/api/object.ts";
import { compareStrings, objectKey } from "../../src/base/keys.ts";
import { resourceToJson } from "../../src/envoy/json.ts";
import { type ResourceChange, resourceTypes } from "../../src/envoy/resource.ts";
import type { GatewayInfrastructure } from "../../src/pipeline/infrastructure.ts";
import { type Batch, createPipeline } from "../../src/pipeline/pipeline.ts";
import { renderStatus } from "../../src/status/render.ts";

const settings = {
  controllerNames: ["gatehouse.dev/gateway-controller"],
  hostInfrastructure: true,
  privilegedPortOffset: 10000,
};

/** Runs objects through the real pipeline with an Envoy that accepts everything, and returns all that comes out. */
export function runCase(text: string): object {
  const invalid: string[] = [];
  const batch = readObjects(text, invalid);
  const resources = new Map<string, ResourceChange>();
  const infrastructure = new Map<string, GatewayInfrastructure>();
  const pipeline = createPipeline(settings, {
    xds(changes) {
      for (const change of changes) {
        const id = `${change.gateway}|${change.type}|${change.name}`;
        if (change.resource === undefined) resources.delete(id);
        else resources.set(id, change);
      }
    },
    statuses() {},
    infrastructure(changes) {
      for (const [gateway, value] of changes) {
        if (value === undefined) infrastructure.delete(gateway);
        else infrastructure.set(gateway, value);
      }
    },
  });
  pipeline.stage(batch);
  pipeline.markSynced();
  pipeline.commitNow();
  for (const gateway of infrastructure.keys()) {
    pipeline.sources.connections.set(gateway, { connected: 1 });
    pipeline.sources.addresses.set(gateway, [{ type: "IPAddress", value: "127.0.0.1" }]);
  }
  for (const { gateway, type, name, resource } of resources.values()) {
    if (type !== resourceTypes.listener || resource === undefined) continue;
    pipeline.acknowledge({ gateway, type, name, version: resource.version, accepted: true });
  }
  pipeline.commitNow();
  pipeline.stop();
  if (pipeline.failures.size > 0) throw [...pipeline.failures.values()][0];
  const statuses = [...pipeline.statuses()].sort(([a], [b]) => compareStrings(a, b));
  return {
    invalid,
    statuses: Object.fromEntries(statuses.map(([key, report]) => [key, renderStatus(report)])),
    infrastructure: Object.fromEntries([...infrastructure].sort()),
    resources: Object.fromEntries(
      [...resources.entries()]
        .sort(([a], [b]) => compareStrings(a, b))
        .map(([, { gateway, type, name, resource }]) => [
          `${gateway} ${type.slice(type.lastIndexOf(".") + 1)} ${name}`,
          resource && resourceToJson(resource),
        ]),
    ),
  };
}

function readObjects(text: string, invalid: string[]): Batch {
  const batch: Record<string, Map<string, KubernetesObject>> = {};
  for (const document of parseAllDocuments(text)) {
    const raw: unknown = document.toJS();
    if (raw === null) continue;
    const { object, problems } = validateObject(raw);
    for (const { path, message } of problems) invalid.push(`${path.join(".")}: ${message}`);
    if (object === undefined) continue;
    const collection = collectionOf(object);
    if (collection === undefined) continue;
    batch[collection] ??= new Map();
    batch[collection].set(objectKey(object.metadata.namespace, object.metadata.name), object);
  }
  return batch as Batch;
}
