import type { ReadCertificate } from "./certificate.ts";
import { type Lifetimes, renewalTime } from "./lifetimes.ts";

/**
 * One generation of the authority of xDS certificates. It is *next* until `signsSince` is set, then it signs until a younger
 * one does; then it is *old*: trusted until what it signed has expired.
 */
export interface Authority {
  /** Of its Secret. */
  readonly name: string;
  readonly generation: number;
  /** Absent while it is being made, or when the Secret is damaged. */
  readonly certificate?: ReadCertificate;
  /** Its Secret is on its way from somebody else. */
  readonly pending?: boolean;
  /** Since when every bundle that Envoys read has it, in milliseconds since the epoch, as the two below. */
  readonly trustedSince?: number;
  readonly signsSince?: number;
  /** Somebody asks for its successor before it is due. */
  readonly isSpent?: boolean;
}

/** One write of one object; after it the state is read anew. */
export type AuthorityStep =
  | { readonly do: "create"; readonly generation: number; readonly signs: boolean }
  | { readonly do: "markTrusted" | "sign" | "remove"; readonly authority: Authority };

export interface AuthorityPlan {
  readonly step?: AuthorityStep;
  /** Who signs now. Absent only until the steps have made one. */
  readonly signing?: Authority;
  /** Certificates that peers must trust, in PEM, oldest first. */
  readonly bundle: string;
  /** When time alone makes the next step due, in milliseconds since the epoch. */
  readonly wakeAt: number;
}

/**
 * What to do next so that there is an authority that signs and that all peers trust.
 *
 * @param isTrusted whether every bundle that Envoys read has this authority
 */
export function planAuthorities(
  authorities: readonly Authority[],
  isTrusted: (authority: Authority) => boolean,
  now: number,
  lifetimes: Lifetimes,
): AuthorityPlan {
  const sound = authorities
    .filter(({ certificate }) => certificate !== undefined && certificate.notAfter > now)
    .sort((a, b) => a.generation - b.generation);
  const signing = sound.findLast(({ signsSince }) => signsSince !== undefined);
  const bundle = sound.map(({ certificate }) => certificate!.pem).join("");
  const due = dueSteps({ authorities, sound, signing, isTrusted, now, lifetimes });
  const step = due.find(({ at }) => at <= now)?.step;
  return {
    ...(step && { step }),
    ...(signing && { signing }),
    bundle,
    wakeAt: Math.min(...due.map(({ at }) => at), Number.POSITIVE_INFINITY),
  };
}

interface Situation {
  readonly authorities: readonly Authority[];
  /** Those that can be trusted now, oldest first. */
  readonly sound: readonly Authority[];
  readonly signing: Authority | undefined;
  readonly isTrusted: (authority: Authority) => boolean;
  readonly now: number;
  readonly lifetimes: Lifetimes;
}

interface Due {
  readonly at: number;
  readonly step: AuthorityStep;
}

/** Steps and when each is due, the most urgent first. */
function dueSteps(situation: Situation): Due[] {
  const { authorities, sound, signing, now, lifetimes } = situation;
  const at = Number.NEGATIVE_INFINITY;
  const due: Due[] = [];
  const next = sound.findLast(
    ({ signsSince, generation }) => signsSince === undefined && generation > (signing?.generation ?? 0),
  );
  const isComing = authorities.some(({ pending }) => pending);
  const generation = Math.max(0, ...authorities.map((each) => each.generation)) + 1;
  if (signing === undefined) {
    if (next !== undefined) due.push({ at, step: { do: "sign", authority: next } });
    else if (!isComing) due.push({ at, step: { do: "create", generation, signs: true } });
  } else if (next !== undefined) {
    due.push(...succession(situation, next));
  } else if (!isComing) {
    const spent = signing.isSpent ? at : renewalTime(signing.certificate!, 0);
    due.push({ at: spent, step: { do: "create", generation, signs: false } });
  }
  for (const authority of authorities) {
    if (authority === signing || authority === next || authority.pending) continue;
    const old = sound.includes(authority) && authority.signsSince !== undefined;
    // What it signed last, it signed when its successor took over.
    const spent = old ? signing!.signsSince! + lifetimes.leaf + lifetimes.backdate : now;
    due.push({ at: spent, step: { do: "remove", authority } });
  }
  return due;
}

function succession({ isTrusted, lifetimes }: Situation, next: Authority): Due[] {
  if (!isTrusted(next)) return [];
  if (next.trustedSince === undefined) {
    return [{ at: Number.NEGATIVE_INFINITY, step: { do: "markTrusted", authority: next } }];
  }
  return [{ at: next.trustedSince + lifetimes.trustLead, step: { do: "sign", authority: next } }];
}
