import { join } from "node:path";
import type { Image } from "../cluster/images.ts";
import { findProgram } from "../cluster/programs.ts";

/** What the suite's own manifests run. */
export function suiteImages(folder: string): readonly Image[] {
  return [
    {
      pattern: "registry.k8s.io/gateway-api/echo-basic:*",
      files: { "/opt/echo/echo-basic": join(folder, "bin", "echo-basic") },
      entrypoint: ["/opt/echo/echo-basic"],
    },
    {
      pattern: "registry.k8s.io/coredns/coredns:*",
      files: { "/opt/coredns/coredns": findProgram("coredns") },
      entrypoint: ["/opt/coredns/coredns"],
    },
  ];
}
