import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { findProgram } from "./programs.ts";
import type { Access } from "./rest.ts";

const KUBECTL_OUTPUT_MAX_BYTES = 64 * 1024 * 1024;

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

/** Reads what {@link writeKubeconfig} wrote. */
export function readKubeconfig(path: string): Access {
  const config = JSON.parse(readFileSync(path, "utf8")) as {
    clusters: { cluster: { server: string; "certificate-authority-data": string } }[];
    users: { user: { token: string } }[];
  };
  const { server, "certificate-authority-data": authority } = config.clusters[0]!.cluster;
  const caCertificate = Buffer.from(authority, "base64").toString("utf8");
  return { url: server, caCertificate, token: config.users[0]!.user.token };
}

/** Runs kubectl; resolves with standard output, rejects with standard error. */
export function runKubectl(kubeconfig: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      findProgram("kubectl"),
      ["--kubeconfig", kubeconfig, ...args],
      { maxBuffer: KUBECTL_OUTPUT_MAX_BYTES },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`kubectl ${args.join(" ")}: ${stderr || error.message}`));
      },
    );
    // A program that ends without reading its input says so by its exit code.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });
}
