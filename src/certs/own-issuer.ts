import { issueAuthority, issueLeaf } from "./issue.ts";
import { createSecretWriter, type Issuer, type IssuerOptions, nothingToDo } from "./issuer.ts";
import { leafValidity, planLeaves } from "./leaves.ts";
import { authorityCommonName, authoritySecret, leafSecret, pairOf, withMark } from "./objects.ts";
import { authoritiesOf, leavesOf } from "./state.ts";

/** Signs with a key of our own, kept in a Secret. */
export function createOwnIssuer(options: IssuerOptions): Issuer {
  const { namespace, lifetimes, state } = options;
  const { write, remove } = createSecretWriter(options);
  return {
    hindrance: () => undefined,
    authorities: () => authoritiesOf(state),
    async perform(step, now) {
      if (step.do === "remove") return remove(step.authority.name);
      if (step.do !== "create") {
        const held = state.secrets.get(step.authority.name);
        return held === undefined ? nothingToDo : write(withMark(held.object, step.do, now));
      }
      const validity = { notBefore: now - lifetimes.backdate, notAfter: now + lifetimes.authority };
      const pair = await issueAuthority(authorityCommonName(namespace, step.generation), validity);
      return write(authoritySecret(namespace, step.generation, pair, step.signs ? now : undefined));
    },
    planLeaves: (wanted, authorities, now) => planLeaves(wanted, leavesOf(state), authorities, now),
    prepare: async () => nothingToDo,
    async issue({ leaf, instead }, signing, now) {
      const [authority, present] = [state.secrets.get(signing.name), state.secrets.get(leaf.secretName)];
      if (authority === undefined || present?.certificate !== instead) return nothingToDo;
      const pair = await issueLeaf(pairOf(authority.object), leaf.subject, leafValidity(now, lifetimes));
      return write(leafSecret(namespace, leaf, pair, present?.object));
    },
    remove,
  };
}
