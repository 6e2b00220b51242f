import { supportedKinds } from "../api/kinds.ts";
import { flatText } from "../base/memory.ts";
import { followedKinds } from "../inputs/kubernetes/followed-kinds.ts";
import { type KubernetesInput, startKubernetesInput } from "../inputs/kubernetes/kubernetes-input.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Observe } from "../kube/operator-shell.ts";
import { INSTALLED_API_KEY } from "../pipeline/sources.ts";
import type { OperatorParts, OperatorRun } from "./operator-parts.ts";
import { wasRefused } from "./returning-gateways.ts";

type StatusKind = (typeof supportedKinds)[number];

/** By collection, what the status writer and the shell know a kind by. */
const kindsByCollection: ReadonlyMap<string, StatusKind> = new Map(
  supportedKinds.map((kind) => [kind.collection, kind]),
);

/** A kind of another project that has the name of one of ours has no status of ours. */
const WITHOUT_STATUS: ReadonlySet<string> = new Set(["staticBackends"]);

/** As the status writer asks for it; undefined: a kind without a status of ours. */
export function typeOfKind(kind: string) {
  const found = followedKinds.find((candidate) => candidate.kind === kind && !WITHOUT_STATUS.has(candidate.collection));
  if (found === undefined) return undefined;
  const { group, plural, namespaced, versions } = found;
  return { group, kind, plural, namespaced, version: versions[0] };
}

/** The objects of the API server, on their way to pipeline, shell and status writer. */
export function startInput(
  run: OperatorRun,
  client: KubeClient,
  { control, writer, returning, refused }: Pick<OperatorParts, "control" | "writer" | "returning" | "refused">,
  observe: Observe,
  onSynced: () => void,
): KubernetesInput {
  let synced = false;
  const plurals = new Map(followedKinds.map(({ collection, plural }) => [collection, plural]));
  return startKubernetesInput({
    client,
    scope: run.configuration.watch,
    log: run.log.with({ component: "provider" }),
    onBatch(batch) {
      control.pipeline.stage(batch);
      control.pipeline.notify();
    },
    onInstalledApi(installed) {
      control.pipeline.sources.installedApi.set(INSTALLED_API_KEY, installed);
      control.pipeline.notify();
    },
    onProblem(collection, key, problem) {
      const kind = kindsByCollection.get(collection);
      if (kind === undefined || WITHOUT_STATUS.has(collection)) return;
      const changed = refused.report(flatText(kind.kind, "/", key), problem);
      if (changed !== undefined) writer.changed([changed]);
    },
    onSynced() {
      synced = true;
      control.pipeline.markSynced();
      control.pipeline.notify();
      onSynced();
    },
    onObserved(collection, key, object) {
      const kind = kindsByCollection.get(collection);
      if (kind === undefined) return;
      observe({ group: kind.group, plural: plurals.get(collection) ?? "" }, key, object);
      if (WITHOUT_STATUS.has(collection)) return;
      const statusKey = flatText(kind.kind, "/", key);
      if (collection === "gateways") returning.observe(statusKey, object);
      else if (collection === "httpRoutes" || collection === "grpcRoutes") {
        const refused = wasRefused(object, run.controllerNames);
        if (!refused || !synced) control.pipeline.suspicions.suspect(statusKey, refused);
      }
      writer.observe(statusKey, object);
    },
  });
}
