import { writeFileSync } from "node:fs";
import type { Access } from "./rest.ts";

/** Writes a kubeconfig with one cluster and one user; JSON is YAML. Returns the path. */
export function writeKubeconfig(path: string, access: Access): string {
  const name = "local";
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    clusters: [
      {
        name,
        cluster: {
          server: access.url,
          "certificate-authority-data": Buffer.from(access.caCertificate).toString("base64"),
        },
      },
    ],
    users: [{ name, user: { token: access.token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  };
  writeFileSync(path, JSON.stringify(config, null, 2), { mode: 0o600 });
  return path;
}
