import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { World } from "./world.ts";

/** The EnvoyProxy `seen`, with `spec` in flow style. */
export const proxyYaml = (spec: string) => `
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: seen}
spec: ${spec}
`;

/** The Gateway of a world, which from now on names that EnvoyProxy. */
export function gatewayYamlWithProxy(world: World): string {
  return readFileSync(join(world.files.path, "gateway.yaml"), "utf8").replace(
    /^( *)gatewayClassName:.*$/m,
    "$&\n$1infrastructure: {parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: seen}}",
  );
}
