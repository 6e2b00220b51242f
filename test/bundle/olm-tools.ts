import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { toolFolder } from "../harness/tool-folder.ts";

/**
 * OLM's validators and the folder of its CRDs; the same as OLM_TOOL of the Makefile.
 *
 * @throws Error that names the command which builds them
 */
export function olmTools(): { readonly verifier: string; readonly crds: string } {
  const modules = readFileSync(new URL("../../tools/olm/go.mod", import.meta.url), "utf8");
  const version = /operator-framework\/api v(\S+)/.exec(modules)?.[1];
  const folder = toolFolder(`olm-${version}`);
  if (!existsSync(join(folder, ".installed"))) throw new Error(`OLM's tools are not in ${folder}: run \`make test\``);
  return { verifier: join(folder, "olm-verify"), crds: join(folder, "crds") };
}
