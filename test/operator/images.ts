import { fileURLToPath } from "node:url";
import { locateEnvoy } from "../../src/infra/envoy-binary.ts";
import type { Image } from "../cluster/images.ts";
import { rateLimitBinary } from "../harness/rate-limit.ts";

const root = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
const HOME = "/opt/gatehouse";
const NOBODY = 65_532;

/** What the project's own manifests run: this checkout as it was built, and the Envoy of the tool folder. */
export const images: readonly Image[] = [
  {
    pattern: "ghcr.io/gatehouse/gatehouse:*",
    files: {
      [HOME]: root,
      "/usr/local/bin/gatehouse": fileURLToPath(new URL("gatehouse-in-image.sh", import.meta.url)),
    },
    entrypoint: ["gatehouse"],
    user: NOBODY,
    group: NOBODY,
  },
  {
    pattern: "docker.io/envoyproxy/envoy:*",
    files: { "/usr/local/bin/envoy": await locateEnvoy() },
    entrypoint: ["envoy"],
    user: NOBODY,
    group: NOBODY,
  },
  {
    pattern: "docker.io/envoyproxy/ratelimit:*",
    files: { "/usr/local/bin/ratelimit": rateLimitBinary() },
    user: NOBODY,
    group: NOBODY,
  },
  // A command of this machine, as all of the system folders are.
  { pattern: "docker.io/library/redis:*", entrypoint: ["redis-server"], user: NOBODY, group: NOBODY },
  testProgram("echo"),
  testProgram("behaving-echo"),
  testProgram("otlp-receiver"),
];

/** A program of this folder. */
function testProgram(name: string): Image {
  return {
    pattern: `example.com/${name}:*`,
    files: { [HOME]: root },
    entrypoint: [`${HOME}/node_modules/node/bin/node`, `${HOME}/test/operator/${name}.ts`],
    user: NOBODY,
    group: NOBODY,
  };
}
