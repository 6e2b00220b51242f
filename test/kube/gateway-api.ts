import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ApiServer } from "../cluster/control-plane.ts";
import { toolFolder } from "../harness/tool-folder.ts";

export type Channel = "standard" | "experimental";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** As in `1.6.3`: the one that the Makefile fetches. */
export function gatewayApiVersion(): string {
  return /^GATEWAY_API_VERSION := (\S+)$/m.exec(readFileSync(join(root, "Makefile"), "utf8"))?.[1] ?? "";
}

/**
 * Folder of the Gateway API's CRDs, one file a kind; the same as GATEWAY_API_TOOL of the Makefile.
 *
 * @throws Error that names the command which fetches them
 */
export function gatewayApiCrds(channel: Channel): string {
  const folder = join(toolFolder(`gateway-api-${gatewayApiVersion()}`), channel);
  if (!existsSync(folder)) throw new Error(`the Gateway API's CRDs are not in ${folder}: run \`make kubernetes\``);
  return folder;
}

/** Its file in {@link gatewayApiCrds}, by the CRD's name: `gateways.gateway.networking.k8s.io`. */
export function gatewayApiFile(crd: string): string {
  const [plural, ...group] = crd.split(".");
  return `${group.join(".")}_${plural}.yaml`;
}

/** Installs the Gateway API's CRDs and ours, and waits until they are served. */
export async function installCrds(
  server: Pick<ApiServer, "kubectl">,
  channel: Channel = "experimental",
): Promise<void> {
  await server.kubectl(["apply", "--server-side", "-f", gatewayApiCrds(channel)]);
  await server.kubectl(["apply", "--server-side", "-k", join(root, "crds")]);
  await server.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
}
