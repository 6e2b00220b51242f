/**
 * Writes `bundle/`, `bundle.Dockerfile` and `olm/` from `config/`, `crds/` and `src/api`: `make bundle`, or
 * `node tools/generate-bundle.ts KUBECTL` with the path of kubectl.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { catalogDocuments, installationSamples } from "./bundle/catalog.ts";
import { clusterServiceVersion } from "./bundle/cluster-service-version.ts";
import { type BundleSource, type Manifest, readSource } from "./bundle/source.ts";

const root = join(import.meta.dirname, "..");
/** Everything in them is written here. */
export const bundleFolders = ["bundle", "olm"];
const HEAD = "# Written by `make bundle`.\n";

/** Shipped beside the ClusterServiceVersion, in which there is no room for them. */
const SHIPPED_KINDS = ["CustomResourceDefinition", "ConfigMap", "Service"];

/** Path from the project's root → content. */
export function renderBundle(kubectl: string): Map<string, string> {
  const source = readSource(kubectl);
  const csv = clusterServiceVersion(source);
  const { about } = source;
  const shipped = source.manifests.filter(({ kind }) => SHIPPED_KINDS.includes(kind));
  return new Map([
    [`bundle/manifests/${about.package}.clusterserviceversion.yaml`, print(csv)],
    ...shipped.map(
      (manifest) => [`bundle/manifests/${fileName(manifest)}`, print(withoutNamespace(manifest))] as const,
    ),
    ["bundle/metadata/annotations.yaml", print({ annotations: bundleLabels(source) })],
    ["bundle.Dockerfile", bundleDockerfile(source)],
    [`olm/catalog/${about.package}/catalog.yaml`, print(...catalogDocuments(source, csv))],
    ["olm/catalog.Dockerfile", CATALOG_DOCKERFILE],
    ...[...installationSamples(source)].map(([name, objects]) => [`olm/${name}`, print(...objects)] as const),
  ]);
}

function print(...documents: readonly object[]): string {
  return (
    HEAD +
    documents
      .map((each) => stringify(each, { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" }))
      .join("---\n")
  );
}

function fileName({ kind, metadata }: Manifest): string {
  if (kind !== "CustomResourceDefinition") return `${metadata.name}.${kind.toLowerCase()}.yaml`;
  const dot = metadata.name.indexOf(".");
  return `${metadata.name.slice(dot + 1)}_${metadata.name.slice(0, dot)}.yaml`;
}

/** OLM puts objects into the namespace of the Subscription. */
function withoutNamespace(manifest: Manifest): Manifest {
  const { namespace: _, ...metadata } = manifest.metadata;
  return { ...manifest, metadata };
}

/** Where OLM finds what in the bundle's image. */
function bundleLabels({ about }: BundleSource): Record<string, string> {
  const prefix = "operators.operatorframework.io.bundle";
  return {
    [`${prefix}.mediatype.v1`]: "registry+v1",
    [`${prefix}.manifests.v1`]: "manifests/",
    [`${prefix}.metadata.v1`]: "metadata/",
    [`${prefix}.package.v1`]: about.package,
    [`${prefix}.channels.v1`]: about.channel,
    [`${prefix}.channel.default.v1`]: about.channel,
  };
}

function bundleDockerfile(source: BundleSource): string {
  const labels = Object.entries(bundleLabels(source)).map(([name, value]) => `LABEL ${name}=${value}\n`);
  return `${HEAD}FROM scratch\n${labels.join("")}COPY bundle/manifests /manifests/\nCOPY bundle/metadata /metadata/\n`;
}

/** Built in `olm/`. */
const CATALOG_DOCKERFILE = `${HEAD}FROM quay.io/operator-framework/opm:v1.61.0
ENTRYPOINT ["/bin/opm"]
CMD ["serve", "/configs", "--cache-dir=/tmp/cache"]
COPY catalog /configs
RUN ["/bin/opm", "serve", "/configs", "--cache-dir=/tmp/cache", "--cache-only"]
LABEL operators.operatorframework.io.index.configs.v1=/configs
`;

if (import.meta.main) {
  const [kubectl = "kubectl"] = process.argv.slice(2);
  const files = renderBundle(kubectl);
  for (const folder of bundleFolders) {
    mkdirSync(join(root, folder), { recursive: true });
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && !files.has(path.slice(root.length + 1))) rmSync(path);
    }
  }
  for (const [path, content] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
    console.log(`generated ${path}`);
  }
}
