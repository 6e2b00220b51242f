import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { resolve } from "node:path";
import type { Settings } from "../attach/model.ts";
import type { StateFolder } from "../infra/state-folder.ts";

export const DEFAULT_CONTROLLER_NAME = "gatehouse.dev/gateway-controller";

/** Added to listener ports below 1024 where an ordinary user may not open them: 80 is served on 10080. */
const PRIVILEGED_PORT_OFFSET = 10_000;
/** A port below 1024 that hardly anything uses: stands for all of them. */
const PROBED_PORT = 1023;

/** What objects mean where Envoy runs on this very host. */
export async function readStandaloneSettings(
  controllerNames: readonly string[],
  state: StateFolder,
): Promise<Settings> {
  const systemTrustFile = findSystemTrust(process.env["SSL_CERT_FILE"]);
  return {
    controllerNames: controllerNames.length > 0 ? controllerNames : [DEFAULT_CONTROLLER_NAME],
    hostInfrastructure: true,
    guardedFolder: state.path,
    ...(systemTrustFile !== undefined && { systemTrustFile }),
    privilegedPortOffset: (await mayBindPrivilegedPorts()) ? 0 : PRIVILEGED_PORT_OFFSET,
  };
}

/** Where distributions keep the authorities that their system trusts: Debian, Fedora, openSUSE, Alpine. */
const trustFiles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** @param chosen by who runs this, as programs that use OpenSSL understand it */
function findSystemTrust(chosen: string | undefined): string | undefined {
  return chosen === undefined || chosen === "" ? trustFiles.find((file) => existsSync(file)) : resolve(chosen);
}

/** Asks the kernel, since root, capabilities and sysctl settings all have a say. */
function mayBindPrivilegedPorts(): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "EACCES" && error.code !== "EPERM"));
    probe.listen(PROBED_PORT, "0.0.0.0", () => probe.close(() => resolve(true)));
  });
}
