import { type ClusterServiceVersion, iconOf } from "./cluster-service-version.ts";
import { type BundleSource, bundleImage, bundleName, relatedImages } from "./source.ts";

/** The documents of a file-based catalog that offers this version. */
export function catalogDocuments(source: BundleSource, csv: ClusterServiceVersion): object[] {
  const { about, version, definitions, description } = source;
  const name = bundleName(source);
  const { annotations, labels } = csv.metadata;
  const { displayName, installModes, keywords, maintainers, maturity, minKubeVersion, nativeAPIs, provider } = csv.spec;
  const owned = csv.spec.customresourcedefinitions.owned.map((kind) => ({
    name: kind.name,
    version: kind.version,
    kind: kind.kind,
    displayName: kind.displayName,
    description: kind.description,
  }));
  const shown = {
    annotations,
    apiServiceDefinitions: {},
    crdDescriptions: { owned },
    description,
    displayName,
    installModes,
    keywords,
    labels,
    maintainers,
    maturity,
    minKubeVersion,
    nativeAPIs,
    provider,
  };
  return [
    {
      schema: "olm.package",
      name: about.package,
      defaultChannel: about.channel,
      description: about.summary,
      icon: { base64data: iconOf(source).base64data, mediatype: iconOf(source).mediatype },
    },
    { schema: "olm.channel", package: about.package, name: about.channel, entries: [{ name }] },
    {
      schema: "olm.bundle",
      package: about.package,
      name,
      image: bundleImage(source),
      properties: [
        { type: "olm.package", value: { packageName: about.package, version } },
        ...definitions.map(({ group, kind, version: served }) => ({
          type: "olm.gvk",
          value: { group, kind, version: served },
        })),
        { type: "olm.csv.metadata", value: shown },
      ],
      relatedImages: [{ name: "", image: bundleImage(source) }, ...relatedImages(source)],
    },
  ];
}

/** What a user of OLM applies: where the catalog is, what the operator looks after, and that it is wanted. */
export function installationSamples({ about, version }: BundleSource): ReadonlyMap<string, readonly object[]> {
  const namespace = "gatehouse-system";
  const catalog = `${about.package}-catalog`;
  const [v1alpha1, v1] = ["operators.coreos.com/v1alpha1", "operators.coreos.com/v1"];
  return new Map<string, readonly object[]>([
    [
      "catalog-source.yaml",
      [
        {
          apiVersion: v1alpha1,
          kind: "CatalogSource",
          metadata: { name: catalog, namespace: "olm" },
          spec: {
            sourceType: "grpc",
            image: `${about.imageRepository}/${catalog}:v${version}`,
            displayName: about.displayName,
            publisher: about.provider.name,
            grpcPodConfig: { securityContextConfig: "restricted" },
          },
        },
      ],
    ],
    [
      "operator-group.yaml",
      [
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        // Without targetNamespaces: all namespaces.
        { apiVersion: v1, kind: "OperatorGroup", metadata: { name: about.package, namespace }, spec: {} },
      ],
    ],
    [
      "subscription.yaml",
      [
        {
          apiVersion: v1alpha1,
          kind: "Subscription",
          metadata: { name: about.package, namespace },
          spec: { channel: about.channel, name: about.package, source: catalog, sourceNamespace: "olm" },
        },
      ],
    ],
  ]);
}
