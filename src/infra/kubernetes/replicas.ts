import type { ApiError } from "../../kube/api-error.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
import { typeOf } from "./managed-kinds.ts";

/** Holds the number of pods between us and an autoscaler. */
const REPLICAS_MANAGER = "gatehouse-replicas";

interface Replicated {
  readonly spec?: { readonly replicas?: number };
}

/**
 * An object that no longer says how many pods there are, because an autoscaler does, would lose the number that we wrote with our
 * ownership of the field, and with it all pods but one. So the number it has is first written once more under another name, until
 * the autoscaler says its own (Kubernetes documentation, "Server-Side Apply", transferring ownership).
 */
export async function keepReplicas(
  client: Pick<KubeClient, "serverSideApply">,
  desired: KubeObject,
  live: KubeObject | undefined,
): Promise<ApiError | undefined> {
  if (desired.kind !== "Deployment" || (desired as Replicated).spec?.replicas !== undefined) return undefined;
  const replicas = (live as Replicated | undefined)?.spec?.replicas;
  if (replicas === undefined || live === undefined) return undefined;
  const { name, namespace } = desired.metadata;
  const { apiVersion, kind } = desired;
  const number = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    spec: { replicas },
  };
  const answer = await client.serverSideApply(typeOf(desired), number, {
    fieldManager: REPLICAS_MANAGER,
    force: false,
  });
  // A conflict means that the number is somebody else's already.
  return answer.ok || answer.error.reason === "Conflict" ? undefined : answer.error;
}
