import { managedTypes } from "../../src/infra/kubernetes/managed-kinds.ts";
import { specDescriptors, statusDescriptors } from "./descriptors.ts";
import { permissionsOf } from "./permissions.ts";
import { type BundleSource, bundleName, operatorImage, relatedImages } from "./source.ts";

/** A kind as the console lists it. */
export interface OwnedKind {
  readonly name: string;
  readonly version: string;
  readonly kind: string;
  readonly displayName: string;
  readonly description: string;
}

/** OLM's description of one version of the operator, kind ClusterServiceVersion. */
export interface ClusterServiceVersion {
  readonly apiVersion: "operators.coreos.com/v1alpha1";
  readonly kind: "ClusterServiceVersion";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly annotations: Readonly<Record<string, string>>;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly customresourcedefinitions: { readonly owned: readonly OwnedKind[] };
  };
}

const installModes = ["OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces"];

export function clusterServiceVersion(source: BundleSource): ClusterServiceVersion {
  const { about, manifests } = source;
  return {
    apiVersion: "operators.coreos.com/v1alpha1",
    kind: "ClusterServiceVersion",
    metadata: {
      name: bundleName(source),
      namespace: "placeholder",
      annotations: {
        "alm-examples": JSON.stringify(source.examples, null, 2),
        capabilities: about.capabilities,
        categories: about.categories,
        containerImage: operatorImage(source),
        description: about.summary,
        "operatorframework.io/suggested-namespace": "gatehouse-system",
        support: about.provider.name,
      },
      labels: { "operatorframework.io/arch.amd64": "supported", "operatorframework.io/os.linux": "supported" },
    },
    spec: {
      displayName: about.displayName,
      description: source.description,
      version: source.version,
      maturity: about.maturity,
      minKubeVersion: about.minKubeVersion,
      provider: about.provider,
      maintainers: about.maintainers,
      keywords: about.keywords,
      icon: [iconOf(source)],
      installModes: installModes.map((type) => ({ type, supported: true })),
      nativeAPIs: about.nativeAPIs,
      customresourcedefinitions: { owned: ownedKinds(source) },
      install: {
        strategy: "deployment",
        spec: {
          permissions: permissionsOf(manifests, "RoleBinding"),
          clusterPermissions: permissionsOf(manifests, "ClusterRoleBinding"),
          deployments: manifests
            .filter(({ kind }) => kind === "Deployment")
            .map(({ metadata, spec }) => ({ name: metadata.name, label: metadata.labels ?? {}, spec })),
        },
      },
      relatedImages: relatedImages(source),
    },
  };
}

export function iconOf({ icon }: BundleSource): { readonly base64data: string; readonly mediatype: string } {
  return { base64data: Buffer.from(icon).toString("base64"), mediatype: "image/svg+xml" };
}

/** Only settings of Envoy make objects. */
const madeFor: Readonly<Record<string, readonly object[]>> = {
  EnvoyProxy: managedTypes.map(({ kind, version }) => ({ kind, name: "", version })),
};

function ownedKinds({ definitions, about }: BundleSource): OwnedKind[] {
  return definitions.map((definition) => {
    const { kind, version, plural, group, description } = definition;
    const resources = madeFor[kind] ?? [];
    return {
      kind,
      name: `${plural}.${group}`,
      version,
      displayName: about.kinds[kind] ?? kind,
      description,
      ...(resources.length > 0 && { resources }),
      specDescriptors: specDescriptors(definition),
      statusDescriptors: statusDescriptors(definition),
    };
  });
}
