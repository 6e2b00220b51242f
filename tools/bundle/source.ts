import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, parse as parseYaml } from "yaml";
import { policyDefinitions } from "../../src/api/definitions.ts";
import type { KindDefinition } from "../../src/api/schema.ts";
import { ENVOY_IMAGE } from "../../src/infra/kubernetes/environment.ts";

/** An object of `config/`. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** `config/bundle/about.yaml`. */
export interface About {
  readonly package: string;
  readonly channel: string;
  readonly displayName: string;
  readonly summary: string;
  readonly maturity: string;
  readonly capabilities: string;
  readonly categories: string;
  readonly minKubeVersion: string;
  readonly keywords: readonly string[];
  readonly maintainers: readonly { readonly name: string; readonly email: string }[];
  readonly provider: { readonly name: string };
  readonly imageRepository: string;
  /** Display name by kind. */
  readonly kinds: Readonly<Record<string, string>>;
  readonly nativeAPIs: readonly { readonly group: string; readonly version: string; readonly kind: string }[];
}

/** Everything that the bundle and the catalog are made of. */
export interface BundleSource {
  readonly version: string;
  readonly about: About;
  /** Markdown. */
  readonly description: string;
  /** SVG. */
  readonly icon: string;
  /** What `kubectl apply -k` would install. */
  readonly manifests: readonly Manifest[];
  /** One object of each of our kinds. */
  readonly examples: readonly Manifest[];
  readonly definitions: readonly KindDefinition[];
  readonly envoyImage: string;
}

const root = join(import.meta.dirname, "../..");

/** Far more than config/ has with all CRDs. */
const RENDERED_BYTES_MAX = 16 * 1024 * 1024;

/**
 * @param kubectl path of the program, whose kustomize renders `config/bundle`
 * @throws Error when the version of an image is not the project's, or a kind lacks its example or name
 */
export function readSource(kubectl: string): BundleSource {
  const read = (path: string) => readFileSync(join(root, path), "utf8");
  const rendered = execFileSync(kubectl, ["kustomize", join(root, "config/bundle")], {
    encoding: "utf8",
    maxBuffer: RENDERED_BYTES_MAX,
  });
  const { version } = JSON.parse(read("package.json")) as { version: string };
  const about = parseYaml(read("config/bundle/about.yaml")) as About;
  const stale = [...rendered.matchAll(/ghcr\.io\/gatehouse\/\S+/g)].filter(
    ([image]) => !image.endsWith(`:v${version}`),
  );
  if (stale.length > 0) throw new Error(`config/manager has ${stale[0]}, but package.json says version ${version}`);
  const definitions = policyDefinitions.toSorted((a, b) => a.kind.localeCompare(b.kind));
  const examples = definitions.flatMap(({ kind }) => {
    if (about.kinds[kind] === undefined) throw new Error(`config/bundle/about.yaml gives ${kind} no name`);
    return readManifests(read(`config/samples/kinds/${kind.toLowerCase()}.yaml`));
  });
  return {
    version,
    about,
    description: read("config/bundle/description.md"),
    icon: read("config/bundle/icon.svg"),
    manifests: readManifests(rendered),
    examples,
    definitions,
    envoyImage: ENVOY_IMAGE,
  };
}

function readManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}

export function bundleName({ about, version }: BundleSource): string {
  return `${about.package}.v${version}`;
}

export function bundleImage({ about, version }: BundleSource): string {
  return `${about.imageRepository}/${about.package}-bundle:v${version}`;
}

/** The program's own image. */
export function operatorImage({ about, version }: BundleSource): string {
  return `${about.imageRepository}/${about.package}:v${version}`;
}

/** For registries that mirror everything an operator needs. */
export function relatedImages(source: BundleSource): { readonly name: string; readonly image: string }[] {
  return [
    { name: "gatehouse", image: operatorImage(source) },
    { name: "envoy", image: source.envoyImage },
  ];
}
