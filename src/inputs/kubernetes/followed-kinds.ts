import { type CollectionName, type SupportedKind, supportedKinds } from "../../api/kinds.ts";
import type { FollowedKind } from "../../kube/kind-follower.ts";

/** Types of Secrets that no Gateway can refer to, among them the largest ones of a cluster. */
const uselessSecretTypes = [
  "bootstrap.kubernetes.io/token",
  "helm.sh/release.v1",
  "kubernetes.io/dockercfg",
  "kubernetes.io/dockerconfigjson",
  "kubernetes.io/service-account-token",
];

const settings: Partial<Readonly<Record<CollectionName, Partial<FollowedKind>>>> = {
  secrets: { fieldSelector: uselessSecretTypes.map((type) => `type!=${type}`).join() },
  // Their labels are looked at only where a listener selects namespaces by label; roles of single namespaces cannot grant them.
  namespaces: { optional: true },
  // A kind of another project, read as a convenience.
  staticBackends: { optional: true },
};

/** Every kind that Gatehouse reads, as the API server is asked for it. */
export const followedKinds: readonly FollowedKind[] = supportedKinds.map((supported) => {
  const { group, versions, kind, namespaced, collection } = supported;
  return {
    group,
    kind,
    plural: pluralOf(supported),
    namespaced,
    versions: [versions[0]!, ...versions.slice(1)],
    collection,
    ...settings[collection],
  };
});

/** All our kinds keep to the convention. */
function pluralOf({ kind }: SupportedKind): string {
  const lower = kind.toLowerCase();
  if (/[^aeiou]y$/.test(lower)) return `${lower.slice(0, -1)}ies`;
  return /(?:s|x|ch|sh)$/.test(lower) ? `${lower}es` : `${lower}s`;
}
