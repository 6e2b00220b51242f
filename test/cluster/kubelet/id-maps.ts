import { readFileSync } from "node:fs";

/**
 * Which users and groups exist here. In the user namespace of somebody without rights it is only 0: no process can become
 * another user and no file can be given to another group, so everything runs as that one and belongs to it.
 */
export function isUserMapped(id: number): boolean {
  return isMapped(id, "uid_map");
}

export function isGroupMapped(id: number): boolean {
  return isMapped(id, "gid_map");
}

/** Lines of user_namespaces(7): first id inside, first id outside, how many. */
function isMapped(id: number, map: "uid_map" | "gid_map"): boolean {
  const lines = readFileSync(`/proc/self/${map}`, "utf8").trim().split("\n");
  return lines.some((line) => {
    const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    return id >= first && id < first + count;
  });
}
