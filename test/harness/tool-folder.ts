import { homedir } from "node:os";
import { join } from "node:path";

/** Where `make` puts a tool, one folder a version: the same as GATEHOUSE_TOOLS of the Makefile. */
export function toolFolder(name: string): string {
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(process.env["GATEHOUSE_TOOLS"] || join(cache, "gatehouse"), name);
}
