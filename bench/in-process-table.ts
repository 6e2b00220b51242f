import { collectionOf, validateObject } from "../src/api/kinds.ts";
import type { KubernetesObject } from "../src/api/object.ts";
import type { Settings } from "../src/attach/model.ts";
import { objectKey } from "../src/base/keys.ts";
import type { CommitReport } from "../src/dataflow/graph.ts";
import type { ResourceChange } from "../src/envoy/resource.ts";
import { type Batch, createPipeline } from "../src/pipeline/pipeline.ts";
import type { PlainObject } from "./table.ts";

const settings: Settings = {
  controllerNames: ["gatehouse.dev/gateway-controller"],
  hostInfrastructure: true,
  privilegedPortOffset: 0,
};

/** The real pipeline without anything around it. */
export interface InProcessTable {
  /** Validates, as the input does, and stages. */
  stage(batch: Batch): void;
  commit(): { readonly report: CommitReport; readonly changes: readonly ResourceChange[] };
  stop(): void;
}

/** Validated objects by collection; an object that the validation complains about ends the bench. */
export function batchOf(objects: readonly PlainObject[], deleted: readonly PlainObject[] = []): Batch {
  const batch: Record<string, Map<string, KubernetesObject | undefined>> = {};
  const put = (raw: PlainObject, keep: boolean) => {
    const { object, problems } = validateObject(raw);
    const collection = object === undefined ? undefined : collectionOf(object);
    if (object === undefined || collection === undefined || problems.length > 0) {
      throw new Error(`the bench's own ${raw.kind} ${raw.metadata.name} is not valid: ${JSON.stringify(problems)}`);
    }
    batch[collection] ??= new Map();
    batch[collection].set(objectKey(object.metadata.namespace, object.metadata.name), keep ? object : undefined);
  };
  for (const object of objects) put(object, true);
  for (const object of deleted) put(object, false);
  return batch as Batch;
}

export function createInProcessTable(initial: Batch): InProcessTable {
  let changes: ResourceChange[] = [];
  const pipeline = createPipeline(settings, {
    xds(published) {
      for (const change of published) changes.push(change);
    },
    statuses() {},
    infrastructure() {},
  });
  pipeline.stage(initial);
  pipeline.markSynced();
  return {
    stage: (batch) => pipeline.stage(batch),
    commit() {
      const report = pipeline.commitNow();
      if (pipeline.failures.size > 0) throw [...pipeline.failures.values()][0];
      const taken = changes;
      changes = [];
      return { report, changes: taken };
    },
    stop: () => pipeline.stop(),
  };
}
