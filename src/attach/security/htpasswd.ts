import type { FollowFault } from "./model.ts";

/** Ways to write a password that other servers take. */
const otherHashes: readonly (readonly [start: string, name: string])[] = [
  ["$apr1$", "an MD5 hash (apr1)"],
  ["$1$", "an MD5 hash"],
  ["$2", "a bcrypt hash"],
  ["$5$", "a SHA-256 hash"],
  ["$6$", "a SHA-512 hash"],
  ["{SHA}", "a {SHA} hash of the wrong length"],
];
const sha1 = /^\{SHA\}[A-Za-z0-9+/]{27}=$/;
/** Whose bytes would have a meaning of their own where the name is told in a header. */
const control = /\p{Cc}/u;
/** How many lines a message lists. */
const LISTED_MAX = 10;

/**
 * The users of a `.htpasswd` file as Envoy takes them: a line `user:{SHA}hash` each. Blank lines and those that begin with `#` are left
 * out. Faults tell lines by their numbers and repeat nothing of them.
 */
export function readHtpasswd(text: string): string | FollowFault {
  const users = new Map<string, string>();
  const faults = new Map<string, number[]>();
  for (const [index, written] of text.split("\n").entries()) {
    const line = written.trim();
    if (line === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const [user, hash] = colon < 0 ? [line, undefined] : [line.slice(0, colon), line.slice(colon + 1)];
    const fault = findLineFault(user, hash, users);
    if (fault === undefined) users.set(user, `${user}:${hash}`);
    else faults.set(fault, [...(faults.get(fault) ?? []), index + 1]);
  }
  const [first] = faults;
  if (first !== undefined) return { fault: describe(...first) };
  return users.size === 0
    ? { fault: "has no user in it; write a line user:{SHA}hash for each" }
    : [...users.values()].join("\n");
}

function findLineFault(user: string, hash: string | undefined, known: ReadonlyMap<string, string>): string | undefined {
  if (hash === undefined || user === "") return "no user and hash with a colon between them; write user:{SHA}hash";
  if (control.test(user)) return "a control character in the name of the user; remove it";
  if (known.has(user)) return "a user that stands further up already; keep one of them";
  if (sha1.test(hash)) return undefined;
  const other = otherHashes.find(([start]) => hash.startsWith(start))?.[1] ?? "no hash that is known";
  return `${other}, and Envoy takes {SHA} only; set the password again with htpasswd -s, which writes that`;
}

function describe(fault: string, lines: readonly number[]): string {
  const more = lines.length - LISTED_MAX;
  const listed = lines.slice(0, LISTED_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
  return `has in line${lines.length === 1 ? "" : "s"} ${listed} ${fault}`;
}
