import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { XdsTls } from "../../src/envoy/control-plane.ts";
import { buildBootstrap } from "../../src/translate/bootstrap.ts";
import { sdsFiles } from "../../src/translate/bootstrap-xds.ts";
import { replaceFiles } from "../cluster/kubelet/atomic-files.ts";
import { type EnvoyProcess, startEnvoy } from "../harness/envoy.ts";

/** The folders of an Envoy's pod, filled as kubelet fills them. */
export interface PodFolders {
  readonly tls: XdsTls;
  /** Replaces the content of a folder at once. */
  mount(folder: "certificates" | "token", files: Readonly<Record<string, string>>): void;
  remove(): void;
}

export function createPodFolders(serverName: string, withToken = false): PodFolders {
  const root = mkdtempSync(join(tmpdir(), "envoy-pod-"));
  const tls: XdsTls = {
    serverName,
    sdsFolder: join(root, "sds"),
    certificateFolder: join(root, "certificates"),
    ...(withToken && { tokenFolder: join(root, "token") }),
  };
  const fill = (folder: string, files: Readonly<Record<string, string>>) => {
    const entries = Object.entries(files);
    replaceFiles(
      join(root, folder),
      entries.map(([path, text]) => ({ path, content: Buffer.from(text), mode: 0o600 })),
    );
  };
  fill("sds", sdsFiles(tls));
  return { tls, mount: fill, remove: () => rmSync(root, { recursive: true, force: true }) };
}

export interface SecuredEnvoyOptions {
  readonly gateway: string;
  readonly nodeId: string;
  /** `host:port` of the xDS server. */
  readonly address: string;
  readonly tls: XdsTls;
}

export function startSecuredEnvoy({ gateway, nodeId, address, tls }: SecuredEnvoyOptions): Promise<EnvoyProcess> {
  const [host = "", port] = address.split(":");
  const xds = { address: { host, port: Number(port) }, tls };
  return startEnvoy({ config: buildBootstrap({ node: { id: nodeId, cluster: gateway }, xds, admin: { port: 0 } }) });
}
