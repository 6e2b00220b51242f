import { isDeepStrictEqual } from "node:util";
import type { Answer } from "../kube/api-error.ts";
import type { KubeObject, ResourceType } from "../kube/resource-type.ts";
import type { Authority } from "./authorities.ts";
import {
  authorityCertificate,
  type CertificateObject,
  certificateType,
  issuerType,
  LEAF_ISSUER,
  leafCertificate,
  leafIssuer,
  ROOT_ISSUER,
  rootIssuer,
} from "./cert-manager-objects.ts";
import { isIssuedBy } from "./certificate.ts";
import type { Hindrance } from "./hindrance.ts";
import { createSecretWriter, type Issuer, type IssuerOptions, nothingToDo } from "./issuer.ts";
import type { DueLeaf } from "./leaves.ts";
import { generationOf, roleOf, withMark } from "./objects.ts";
import { authoritiesOf, hold, leavesOf } from "./state.ts";

const NOT_INSTALLED: Hindrance = {
  message:
    "cert-manager is to issue them and is not installed (the API server has no kind Certificate or Issuer of cert-manager.io/v1): " +
    "install cert-manager, or set GATEHOUSE_CERTIFICATES=own; Gatehouse goes on by itself as soon as it is there",
  blocks: true,
};

const FIELD_MANAGER = "gatehouse-certificates";

/**
 * Lets cert-manager make keys and certificates: a Certificate for each generation of the authority and for each leaf. When the next
 * authority is trusted everywhere, the Issuer of the leaves is pointed to it, and leaves that cert-manager renews are signed by it.
 */
export function createCertManagerIssuer(options: IssuerOptions): Issuer {
  const { client, namespace, lifetimes, state } = options;
  const secrets = createSecretWriter(options);

  async function apply<T extends KubeObject>(type: ResourceType, held: Map<string, T>, object: T) {
    const answer = await client.serverSideApply<T>(type, object, { fieldManager: FIELD_MANAGER, force: true });
    if (answer.ok) hold(held, object.metadata.name, answer.value);
    return answer;
  }

  /** cert-manager writes over whatever Secret has the name; we do not make it do so. */
  async function request(certificate: CertificateObject): Promise<Answer<unknown>> {
    const claimed = await secrets.claim(certificate.metadata.name);
    return claimed.ok ? apply(certificateType, state.certificates, certificate) : claimed;
  }

  async function remove(name: string): Promise<Answer<unknown>> {
    const answer = await client.delete(certificateType, { namespace, name });
    if (!answer.ok && answer.error.reason !== "NotFound") return answer;
    hold(state.certificates, name, undefined);
    return secrets.remove(name);
  }

  /** Secrets first: what cert-manager has not made yet is seen by its Certificate alone. */
  function authorities(): Authority[] {
    const made = authoritiesOf(state);
    const sound = new Set(made.filter(({ certificate }) => certificate !== undefined).map(({ name }) => name));
    const coming = [...state.certificates.values()].flatMap((object) => {
      const { name } = object.metadata;
      const generation = generationOf(name);
      if (roleOf(object) !== "authority" || generation === undefined || sound.has(name)) return [];
      return [{ name, generation, pending: true }];
    });
    const pending = new Set(coming.map(({ name }) => name));
    return [...made.filter(({ name }) => !pending.has(name)), ...coming];
  }

  function leafPlan(wanted: Parameters<Issuer["planLeaves"]>[0], trusted: readonly Authority[]) {
    const leaves = leavesOf(state);
    const names = new Set(wanted.map(({ secretName }) => secretName));
    const certificates = [...state.certificates].filter(([, object]) => roleOf(object) === "leaf");
    const present = new Set([...leaves.keys(), ...certificates.map(([name]) => name)]);
    const issue = wanted.flatMap((leaf): DueLeaf[] => {
      const instead = leaves.get(leaf.secretName)?.certificate;
      const isTrusted = trusted.some(({ certificate }) => certificate && instead && isIssuedBy(instead, certificate));
      const spec = leafCertificate(namespace, leaf, lifetimes).spec;
      const asked = includes(state.certificates.get(leaf.secretName)?.spec, spec);
      return asked && (instead === undefined || isTrusted) ? [] : [{ leaf, instead }];
    });
    return { issue, remove: [...present].filter((name) => !names.has(name)), wakeAt: Number.POSITIVE_INFINITY };
  }

  /** Told of the first that is late; the others most likely are for the same reason. */
  function late(): Hindrance | undefined {
    const object = [...state.certificates.values()].find(
      ({ metadata: { name } }) => state.secrets.get(name)?.certificate === undefined,
    );
    if (object === undefined) return undefined;
    const { name } = object.metadata;
    const said = object.status?.conditions?.find(({ type }) => type === "Ready")?.message;
    const reason = said ?? "cert-manager has not looked at it; do its controllers run?";
    return { message: `cert-manager has not issued Certificate ${namespace}/${name}: ${reason}`, blocks: false };
  }

  return {
    hindrance: () => (options.isInstalled() ? late() : NOT_INSTALLED),
    authorities,
    async perform(step, now) {
      if (step.do === "remove") return remove(step.authority.name);
      if (step.do === "create") {
        if (!state.issuers.has(ROOT_ISSUER)) {
          const answer = await apply(issuerType, state.issuers, rootIssuer(namespace));
          if (!answer.ok) return answer;
        }
        // A name that was used before may still have requests of the Certificate that is gone.
        const used = generationOf(state.issuers.get(LEAF_ISSUER)?.spec?.ca?.secretName ?? "") ?? 0;
        const object = authorityCertificate(namespace, Math.max(step.generation, used + 1), lifetimes);
        return request(object);
      }
      const held = state.secrets.get(step.authority.name);
      return held === undefined ? nothingToDo : secrets.write(withMark(held.object, step.do, now));
    },
    planLeaves: leafPlan,
    async prepare(signing) {
      const wanted = leafIssuer(namespace, signing.name);
      const present = state.issuers.get(wanted.metadata.name);
      if (includes(present?.spec, wanted.spec)) return nothingToDo;
      return apply(issuerType, state.issuers, wanted);
    },
    async issue({ leaf, instead }) {
      const wanted = leafCertificate(namespace, leaf, lifetimes);
      if (!includes(state.certificates.get(leaf.secretName)?.spec, wanted.spec)) {
        return request(wanted);
      }
      // No authority vouches for what is there: cert-manager makes anew what is missing.
      const present = state.secrets.get(leaf.secretName);
      return present?.certificate === instead ? secrets.remove(leaf.secretName) : nothingToDo;
    },
    remove,
  };
}

/** Whether an object has everything that is wanted of it; what else it has was defaulted. */
function includes(present: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) return isDeepStrictEqual(present, wanted);
  if (typeof present !== "object" || present === null) return false;
  const there = present as Record<string, unknown>;
  return Object.entries(wanted).every(([key, value]) => includes(there[key], value));
}
