import { findHeaderNameFault } from "../header-syntax.ts";

/** Headers by which messages are told apart and led; what a client or provider calls itself must not stand in them. */
const framing: ReadonlySet<string> = new Set([
  ...["host", "connection", "content-length", "expect", "http2-settings", "keep-alive", "proxy-connection", "te"],
  ...["trailer", "transfer-encoding", "upgrade"],
]);

/** Why a header cannot be the one in which the backend is told something; completes a sentence that begins with the field. */
export function findToldHeaderFault(name: string): string | undefined {
  if (framing.has(name.toLowerCase())) return `is ${name}, which says how requests are sent; use another header`;
  return findHeaderNameFault(name);
}
