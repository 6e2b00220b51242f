import type { FollowedKind } from "../../kube/kind-follower.ts";
import type { ObjectChanges } from "../../kube/list-watch.ts";
import type { InstalledApi } from "../../pipeline/sources.ts";

/**
 * The one CustomResourceDefinition that is looked at: that of GatewayClass, whose status tells the version. All of a bundle are
 * installed together. Roles name it, so that Gatehouse may read no other.
 */
export const gatewayApiDefinition: FollowedKind = {
  collection: "gatewayApiDefinition",
  group: "apiextensions.k8s.io",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
  versions: ["v1"],
  fieldSelector: "metadata.name=gatewayclasses.gateway.networking.k8s.io",
  optional: true,
};

/** Gateway API, versioning: every CustomResourceDefinition of a release has both. */
const BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version";
const CHANNEL = "gateway.networking.k8s.io/channel";

/** @param changes of {@link gatewayApiDefinition}: one object at most */
export function readInstalledApi(changes: ObjectChanges): InstalledApi {
  const definitions = [...changes.values()].filter((definition) => definition !== undefined);
  const channel = definitions[0]?.metadata.annotations?.[CHANNEL];
  return {
    bundleVersions: definitions.map(({ metadata }) => metadata.annotations?.[BUNDLE_VERSION] ?? ""),
    ...(channel !== undefined && { channel }),
  };
}
