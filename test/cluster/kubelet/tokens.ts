import type { Rest } from "../rest.ts";
import type { Pod } from "./objects.ts";
import type { IssueToken } from "./volume-files.ts";

const DEFAULT_LIFETIME_SECONDS = 3_600;
/** Renewed when this part of its life is over, as the kubelet does. */
const RENEW_AT = 0.8;

/** Tokens of a pod's ServiceAccount, bound to the pod, kept until they need renewal. */
export function createTokenIssuer(rest: Rest, pod: Pod): IssueToken {
  const kept = new Map<string, { readonly token: string; readonly renewAt: number }>();
  const account = pod.spec.serviceAccountName ?? "default";
  const path = `/api/v1/namespaces/${pod.metadata.namespace}/serviceaccounts/${account}/token`;
  return async (audience, lifetimeSeconds = DEFAULT_LIFETIME_SECONDS) => {
    const key = `${audience ?? ""} ${lifetimeSeconds}`;
    const found = kept.get(key);
    if (found !== undefined && Date.now() < found.renewAt) return found.token;
    const body = {
      spec: {
        audiences: audience === undefined ? [] : [audience],
        expirationSeconds: lifetimeSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name: pod.metadata.name, uid: pod.metadata.uid },
      },
    };
    const issued = await rest.json<{ status: { token: string } }>(path, { method: "POST", body });
    kept.set(key, { token: issued.status.token, renewAt: Date.now() + lifetimeSeconds * RENEW_AT * 1_000 });
    return issued.status.token;
  };
}
