/**
 * Writes `crds/` and `config/compat/` from the definitions in `src/api`. Run from anywhere: `node tools/generate-crds.ts`.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { customResourceDefinition } from "../src/api/crd.ts";
import { compatDefinitions, policyDefinitions } from "../src/api/definitions.ts";
import type { KindDefinition } from "../src/api/schema.ts";

const root = join(import.meta.dirname, "..");

/** File name to content of one folder of CustomResourceDefinitions, and of the kustomization that names them all. */
export function renderCrds(definitions: readonly KindDefinition[]): Map<string, string> {
  const files = new Map(
    definitions.map((definition) => [
      `${definition.group}_${definition.plural}.yaml`,
      stringify(customResourceDefinition(definition), { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" }),
    ]),
  );
  const kustomization = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [...files.keys()].sort(),
  };
  return files.set("kustomization.yaml", `# Written by \`make generate\`.\n${stringify(kustomization)}`);
}

export const crdFolders: ReadonlyMap<string, readonly KindDefinition[]> = new Map([
  ["crds", policyDefinitions],
  ["config/compat", compatDefinitions],
]);

if (import.meta.main) {
  for (const [folder, definitions] of crdFolders) {
    const files = renderCrds(definitions);
    mkdirSync(join(root, folder), { recursive: true });
    for (const name of readdirSync(join(root, folder))) {
      if (name.endsWith(".yaml") && !files.has(name)) rmSync(join(root, folder, name));
    }
    for (const [name, content] of files) {
      writeFileSync(join(root, folder, name), content);
      console.log(`generated ${folder}/${name}`);
    }
  }
}
