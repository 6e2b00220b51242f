import { parseAllDocuments } from "yaml";
import { collectionOf, validateObject } from "../../src/api/kinds.ts";
import type { KubernetesObject } from "../../src/api/object.ts";
import { compareStrings, objectKey } from "../../src/base/keys.ts";
import { resourceToJson } from "../../src/envoy/json.ts";
import type { ResourceChange } from "../../src/envoy/resource.ts";
import type { GatewayInfrastructure } from "../../src/pipeline/infrastructure.ts";
import { type Batch, createPipeline, type Pipeline } from "../../src/pipeline/pipeline.ts";
import { INSTALLED_API_KEY } from "../../src/pipeline/sources.ts";
import { type ObjectStatus, renderStatus } from "../../src/status/render.ts";
import { answerOf, ordinarySettings, type Scenario } from "./scenario.ts";

/** What an API server would have given to objects that do not state theirs. */
export const GENERATION = 7;
const NODE = "envoy-1";

export interface Outcome {
  /** Problems of validation. */
  readonly invalid: readonly string[];
  readonly statuses: Readonly<Record<string, ObjectStatus>>;
  readonly infrastructure: Readonly<Record<string, object>>;
  readonly resources: Readonly<Record<string, unknown>>;
}

/** Runs objects through the real pipeline with an Envoy that answers as the scenario says, and returns all that comes out. */
export function runCase(text: string): Outcome {
  const { batch, scenario, invalid } = readCase(text);
  const resources = new Map<string, ResourceChange>();
  const unanswered = new Map<string, ResourceChange>();
  const infrastructure = new Map<string, GatewayInfrastructure>();
  const pipeline = createPipeline(
    { ...ordinarySettings, ...scenario.settings },
    {
      xds(changes) {
        for (const change of changes) {
          const id = `${change.gateway}|${change.type}|${change.name}`;
          if (change.resource === undefined) resources.delete(id);
          else resources.set(id, change);
          unanswered.set(id, change);
        }
      },
      statuses() {},
      infrastructure(changes) {
        for (const [gateway, value] of changes) {
          if (value === undefined) infrastructure.delete(gateway);
          else infrastructure.set(gateway, value);
        }
      },
    },
  );
  pipeline.stage(batch);
  pipeline.markSynced();
  if (scenario.installedApi) {
    pipeline.sources.installedApi.set(INSTALLED_API_KEY, { bundleVersions: scenario.installedApi, absentKinds: [] });
  }
  pipeline.commitNow();
  for (const [gateway, { held, bindAddress }] of infrastructure) {
    if (held) continue;
    if (scenario.connected !== 0) pipeline.own.connected(gateway, NODE);
    const addresses = scenario.addresses ?? [bindAddress ?? "127.0.0.1"];
    pipeline.sources.addresses.set(
      gateway,
      addresses.map((value) => ({ type: "IPAddress", value })),
    );
  }
  if (scenario.connected !== 0) answerAll(pipeline, scenario, unanswered);
  pipeline.commitNow();
  pipeline.stop();
  if (pipeline.failures.size > 0) throw [...pipeline.failures.values()][0];
  return {
    invalid,
    statuses: sortedObject([...pipeline.statuses()].map(([key, report]) => [key, renderStatus(report)] as const)),
    infrastructure: sortedObject([...infrastructure].map(([key, value]) => [key, summarize(value)] as const)),
    resources: sortedObject(
      [...resources.values()].map(({ gateway, type, name, resource }) => [
        `${gateway} ${type.slice(type.lastIndexOf(".") + 1)} ${name}`,
        resource && resourceToJson(resource),
      ]),
    ),
  };
}

/** What other golden cases do not show better: those of the folder infrastructure. */
function summarize({ gateway, ports, bindAddress, held }: GatewayInfrastructure): object {
  return { gateway, ports, ...(bindAddress !== undefined && { bindAddress }), ...(held && { held }) };
}

/** More rounds than a refused table with a handful of routes takes to find its culprit. */
const ROUNDS_MAX = 20;

/** Each answer may lead to other versions, which are answered in the next round. */
function answerAll(pipeline: Pipeline, scenario: Scenario, unanswered: Map<string, ResourceChange>): void {
  for (let round = 0; unanswered.size > 0; round++) {
    if (round === ROUNDS_MAX) throw new Error("the answers do not come to an end");
    const changes = [...unanswered.values()];
    unanswered.clear();
    for (const { gateway, type, name, resource } of changes) {
      if (resource === undefined) continue;
      const answer = answerOf(scenario, type, JSON.stringify(resourceToJson(resource)));
      if (answer) pipeline.own.answered({ gateway, node: NODE, type, name, version: resource.version, ...answer });
    }
    pipeline.commitNow();
  }
}

/** The objects of a case, what validation says of them, and the world around them. */
export function readCase(text: string): { batch: Batch; scenario: Scenario; invalid: string[] } {
  const documents = parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | (Scenario & { readonly kind: "Scenario" }) | null)
    .filter((document) => document !== null);
  const scenario = documents.find((document) => document.kind === "Scenario") as Scenario | undefined;
  const invalid: string[] = [];
  const batch: Record<string, Map<string, KubernetesObject>> = {};
  for (const raw of documents) {
    if (raw.kind === "Scenario") continue;
    const object = readObject(raw as KubernetesObject, scenario?.validated ?? true, invalid);
    if (object === undefined) continue;
    const collection = collectionOf(object);
    if (collection === undefined) continue;
    batch[collection] ??= new Map();
    const metadata = { generation: GENERATION, ...object.metadata };
    batch[collection].set(objectKey(metadata.namespace, metadata.name), { ...object, metadata });
  }
  return { batch: batch as Batch, scenario: scenario ?? {}, invalid };
}

function readObject(raw: KubernetesObject, validated: boolean, invalid: string[]): KubernetesObject | undefined {
  if (!validated) return raw;
  const { object, problems } = validateObject(raw);
  for (const { path, message } of problems) invalid.push(`${path.join(".")}: ${message}`);
  return object;
}

function sortedObject<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  return Object.fromEntries([...entries].sort(([a], [b]) => compareStrings(a, b)));
}
