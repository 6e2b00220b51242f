import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toolFolder } from "./tool-folder.ts";

/** The rate limit service that `make ratelimit` builds. */
export function rateLimitBinary(): string {
  const pinned = readFileSync(new URL("../../tools/ratelimit/go.mod", import.meta.url), "utf8");
  const version = /github\.com\/envoyproxy\/ratelimit v(\S+)/.exec(pinned)?.[1];
  if (version === undefined) throw new Error("tools/ratelimit/go.mod does not name the rate limit service");
  return join(toolFolder(`ratelimit-${version}`), "ratelimit");
}
