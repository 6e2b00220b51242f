import { gatewayGroup } from "../../api/gateway-api.ts";
import type { FollowedKind } from "../../kube/kind-follower.ts";
import type { ObjectChanges } from "../../kube/list-watch.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
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

/** Puts together what is installed, from what the API server says bit by bit. */
export interface InstalledApiReader {
  /** @param changes of {@link gatewayApiDefinition}: one object at most */
  defined(changes: ObjectChanges): InstalledApi;
  /** A kind is not installed, or is again. Undefined: not a kind of Gateway API. */
  found(kind: Pick<FollowedKind, "group" | "kind">, present: boolean): InstalledApi | undefined;
}

export function createInstalledApiReader(): InstalledApiReader {
  const absent = new Set<string>();
  let definition: Omit<InstalledApi, "absentKinds"> = { bundleVersions: [] };
  const installed = (): InstalledApi => ({ ...definition, absentKinds: [...absent].sort() });
  return {
    defined(changes) {
      const definitions = [...changes.values()].filter((each) => each !== undefined);
      const channel = definitions[0]?.metadata.annotations?.[CHANNEL];
      definition = {
        bundleVersions: definitions.map(({ metadata }) => metadata.annotations?.[BUNDLE_VERSION] ?? ""),
        ...(channel !== undefined && { channel }),
        ...(definitions.some(lacksFeatures) && { withoutFeatures: true }),
      };
      return installed();
    },
    found({ group, kind }, present) {
      if (group !== gatewayGroup) return undefined;
      if (present) absent.delete(kind);
      else absent.add(kind);
      return installed();
    },
  };
}

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

interface DefinitionFields {
  readonly spec?: {
    readonly versions?: readonly { readonly name: string; readonly schema?: { readonly openAPIV3Schema?: Schema } }[];
  };
}

/** A status with a field that the schema does not have is refused by server-side apply as a whole. */
function lacksFeatures(definition: KubeObject): boolean {
  const { spec } = definition as KubeObject & DefinitionFields;
  const version = spec?.versions?.find(({ name }) => name === "v1");
  const features = version?.schema?.openAPIV3Schema?.properties?.["status"]?.properties?.["supportedFeatures"];
  return features?.items?.type !== "object";
}
