import type { Answer, ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Authority, AuthorityStep } from "./authorities.ts";
import type { Hindrance } from "./hindrance.ts";
import type { DueLeaf, LeafPlan, WantedLeaf } from "./leaves.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { roleOf, type SecretObject, secretType } from "./objects.ts";
import { type CertificateState, holdSecret } from "./state.ts";

/** Who makes what the plans ask for. Each call writes at most a few objects, and holds in the state what the server answered. */
export interface Issuer {
  hindrance(): Hindrance | undefined;
  /** Those that there are, and those that are being made. */
  authorities(): Authority[];
  perform(step: AuthorityStep, now: number): Promise<Answer<unknown>>;
  planLeaves(wanted: readonly WantedLeaf[], authorities: readonly Authority[], now: number): LeafPlan;
  /** Before anything is issued: makes sure that it is issued by this authority. */
  prepare(signing: Authority): Promise<Answer<unknown>>;
  /** Does nothing when somebody else has been faster. */
  issue(due: DueLeaf, signing: Authority, now: number): Promise<Answer<unknown>>;
  remove(secretName: string): Promise<Answer<unknown>>;
}

export interface IssuerOptions {
  readonly client: Pick<KubeClient, "create" | "replace" | "delete" | "get" | "serverSideApply">;
  /** The controller's. */
  readonly namespace: string;
  readonly lifetimes: Lifetimes;
  readonly state: CertificateState;
  /** Whether the cluster has the kinds that the issuer writes. */
  readonly isInstalled: () => boolean;
}

export const nothingToDo: Answer<unknown> = { ok: true, value: undefined };

/** Writes and deletions of our Secrets, each only if the Secret still is what the state says. */
export interface SecretWriter {
  /** Creates what has no resourceVersion, else replaces that version. */
  write(secret: SecretObject): Promise<Answer<unknown>>;
  /** Before somebody else is made to write a Secret: refuses when there is one of that name that is not ours. */
  claim(name: string): Promise<Answer<unknown>>;
  remove(name: string): Promise<Answer<unknown>>;
}

export function createSecretWriter({ client, namespace, state }: IssuerOptions): SecretWriter {
  async function readAgain(name: string): Promise<SecretObject | undefined> {
    const answer = await client.get<SecretObject>(secretType, { namespace, name });
    const found = answer.ok ? answer.value : undefined;
    const known = answer.ok ? roleOf(answer.value) !== undefined : answer.error.reason === "NotFound";
    if (known) holdSecret(state, name, found);
    return found;
  }

  return {
    async write(secret) {
      const { name, resourceVersion } = secret.metadata;
      const verb = resourceVersion === undefined ? "create" : "replace";
      const answer = await client[verb]<SecretObject>(secretType, secret);
      if (answer.ok) holdSecret(state, name, answer.value);
      else if (["Conflict", "AlreadyExists", "NotFound"].includes(answer.error.reason)) {
        // Somebody else wrote in between: the next plan starts from what is there now.
        const found = await readAgain(name);
        if (found !== undefined && roleOf(found) === undefined) return inTheWay(answer.error, `${namespace}/${name}`);
      }
      return answer;
    },
    async claim(name) {
      if (state.secrets.has(name)) return nothingToDo;
      const found = await readAgain(name);
      if (found === undefined || roleOf(found) !== undefined) return nothingToDo;
      const key = `${namespace}/${name}`;
      return inTheWay({ reason: "Invalid", status: 0, subject: `create Secret ${key}`, message: "", causes: [] }, key);
    },
    async remove(name) {
      const uid = state.secrets.get(name)?.object.metadata.uid;
      const answer = await client.delete(secretType, { namespace, name }, { ...(uid && { preconditions: { uid } }) });
      if (answer.ok || answer.error.reason === "NotFound") {
        holdSecret(state, name, undefined);
        return nothingToDo;
      }
      if (answer.error.reason === "Conflict") await readAgain(name);
      return answer;
    },
  };
}

/** We never write over what is not ours. */
function inTheWay(error: ApiError, key: string): Answer<unknown> {
  const message = `cannot ${error.subject}: Secret ${key} exists and was not made by Gatehouse; delete or rename it`;
  return { ok: false, error: { ...error, reason: "Invalid", message } };
}
