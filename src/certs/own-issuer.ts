import type { Answer, ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/client.ts";
import type { Authority, AuthorityStep } from "./authorities.ts";
import { issueAuthority, issueLeaf } from "./issue.ts";
import { type DueLeaf, type LeafPlan, leafValidity, planLeaves, type WantedLeaf } from "./leaves.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { authoritySecret, leafSecret, pairOf, roleOf, type SecretObject, secretType, withMark } from "./objects.ts";
import { type CertificateState, holdSecret, leavesOf } from "./state.ts";

/** Who makes what the plans ask for. Each call writes one object, and holds in the state what the server answered. */
export interface Issuer {
  perform(step: AuthorityStep, now: number): Promise<Answer<unknown>>;
  planLeaves(wanted: readonly WantedLeaf[], authorities: readonly Authority[], now: number): LeafPlan;
  /** Does nothing when somebody else has been faster. */
  issue(due: DueLeaf, signing: Authority, now: number): Promise<Answer<unknown>>;
  remove(secretName: string): Promise<Answer<unknown>>;
}

export interface OwnIssuerOptions {
  readonly client: Pick<KubeClient, "create" | "replace" | "delete" | "get">;
  readonly namespace: string;
  readonly lifetimes: Lifetimes;
  readonly state: CertificateState;
}

/** Signs with a key of our own, kept in a Secret. */
export function createOwnIssuer({ client, namespace, lifetimes, state }: OwnIssuerOptions): Issuer {
  /** Where somebody else wrote in between, the write is refused, and the next plan starts from what is there now. */
  async function write(secret: SecretObject): Promise<Answer<unknown>> {
    const { name, resourceVersion } = secret.metadata;
    const verb = resourceVersion === undefined ? "create" : "replace";
    const answer = await client[verb]<SecretObject>(secretType, secret);
    if (answer.ok) holdSecret(state, name, answer.value);
    else if (["Conflict", "AlreadyExists", "NotFound"].includes(answer.error.reason)) {
      const found = await readAgain(name);
      if (found !== undefined && roleOf(found) === undefined) return inTheWay(answer.error, `${namespace}/${name}`);
    }
    return answer;
  }

  async function readAgain(name: string): Promise<SecretObject | undefined> {
    const answer = await client.get<SecretObject>(secretType, { namespace, name });
    const found = answer.ok ? answer.value : undefined;
    const known = answer.ok ? roleOf(answer.value) !== undefined : answer.error.reason === "NotFound";
    if (known) holdSecret(state, name, found);
    return found;
  }

  async function remove(name: string): Promise<Answer<unknown>> {
    const uid = state.secrets.get(name)?.object.metadata.uid;
    const answer = await client.delete(secretType, { namespace, name }, { ...(uid && { preconditions: { uid } }) });
    if (answer.ok || answer.error.reason === "NotFound") holdSecret(state, name, undefined);
    else {
      if (answer.error.reason === "Conflict") await readAgain(name);
      return answer;
    }
    return nothingToDo;
  }

  return {
    async perform(step, now) {
      if (step.do === "remove") return remove(step.authority.name);
      if (step.do !== "create") {
        const held = state.secrets.get(step.authority.name);
        return held === undefined ? nothingToDo : write(withMark(held.object, step.do, now));
      }
      const validity = { notBefore: now - lifetimes.backdate, notAfter: now + lifetimes.authority };
      const pair = await issueAuthority(`Gatehouse xDS ${step.generation} of ${namespace}`.slice(0, 64), validity);
      return write(authoritySecret(namespace, step.generation, pair, step.signs ? now : undefined));
    },
    planLeaves: (wanted, authorities, now) => planLeaves(wanted, leavesOf(state), authorities, now),
    async issue({ leaf, instead }, signing, now) {
      const [authority, present] = [state.secrets.get(signing.name), state.secrets.get(leaf.secretName)];
      if (authority === undefined || present?.certificate !== instead) return nothingToDo;
      const pair = await issueLeaf(pairOf(authority.object), leaf.subject, leafValidity(now, lifetimes));
      return write(leafSecret(namespace, leaf, pair, present?.object));
    },
    remove,
  };
}

const nothingToDo: Answer<unknown> = { ok: true, value: undefined };

/** We never write over what is not ours. */
function inTheWay(error: ApiError, key: string): Answer<unknown> {
  const message = `cannot ${error.subject}: Secret ${key} exists and was not made by Gatehouse; delete or rename it`;
  return { ok: false, error: { ...error, reason: "Invalid", message } };
}
