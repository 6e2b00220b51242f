import type { ObjectKey } from "../base/keys.ts";
import type { Authority } from "./authorities.ts";
import { isIssuedBy, type ReadCertificate } from "./certificate.ts";
import { alternativeNames, type Subject } from "./identity.ts";
import { type Lifetimes, renewalTime } from "./lifetimes.ts";

/** A certificate that must be there, in a Secret of the controller's namespace. */
export interface WantedLeaf {
  readonly secretName: string;
  readonly subject: Subject;
  /** Whose Envoys show it. Absent: the xDS server does. */
  readonly gateway?: ObjectKey;
}

/** A Secret of ours that holds a leaf, or should. */
export interface Leaf {
  readonly secretName: string;
  /** Absent when there is none that could be used. */
  readonly certificate?: ReadCertificate;
}

/** A leaf to make, and what was there when that was decided. */
export interface DueLeaf {
  readonly leaf: WantedLeaf;
  readonly instead: ReadCertificate | undefined;
}

export interface LeafPlan {
  readonly issue: readonly DueLeaf[];
  /** Names of Secrets. */
  readonly remove: readonly string[];
  /** When the next certificate is due, in milliseconds since the epoch. */
  readonly wakeAt: number;
}

const usageOids = { client: "1.3.6.1.5.5.7.3.2", server: "1.3.6.1.5.5.7.3.1" } as const;

/**
 * Which leaves to make anew and which to delete.
 *
 * @param authorities those that peers trust now; a leaf of any other is worth nothing
 */
export function planLeaves(
  wanted: readonly WantedLeaf[],
  present: ReadonlyMap<string, Leaf>,
  authorities: readonly Authority[],
  now: number,
): LeafPlan {
  const issue: DueLeaf[] = [];
  let wakeAt = Number.POSITIVE_INFINITY;
  for (const leaf of wanted) {
    const certificate = present.get(leaf.secretName)?.certificate;
    const at = certificate === undefined ? now : dueTime(certificate, leaf.subject, authorities, now);
    if (at <= now) issue.push({ leaf, instead: certificate });
    else wakeAt = Math.min(wakeAt, at);
  }
  const names = new Set(wanted.map(({ secretName }) => secretName));
  return { issue, remove: [...present.keys()].filter((name) => !names.has(name)), wakeAt };
}

function dueTime(
  certificate: ReadCertificate,
  subject: Subject,
  authorities: readonly Authority[],
  now: number,
): number {
  const { x509, spread } = certificate;
  const isRight =
    x509.subjectAltName === alternativeNames(subject) &&
    x509.keyUsage?.join() === usageOids[subject.usage] &&
    authorities.some((each) => each.certificate !== undefined && isIssuedBy(certificate, each.certificate));
  return isRight ? renewalTime(certificate, spread) : now;
}

/** From now, and as long as a leaf lives. */
export function leafValidity(now: number, { leaf, backdate }: Lifetimes): { notBefore: number; notAfter: number } {
  return { notBefore: now - backdate, notAfter: now + leaf };
}
