const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** All in milliseconds. Tests make them small; nothing else may, so there is no setting for them. */
export interface Lifetimes {
  readonly authority: number;
  readonly leaf: number;
  /**
   * How long an authority is trusted everywhere before it signs: a kubelet takes about two minutes to bring a changed
   * ConfigMap into a pod.
   */
  readonly trustLead: number;
  /** Certificates begin so long before they are made, for peers whose clock is behind. */
  readonly backdate: number;
}

export const defaultLifetimes: Lifetimes = {
  authority: 365 * DAY_MS,
  leaf: DAY_MS,
  trustLead: HOUR_MS,
  backdate: 5 * MINUTE_MS,
};

/** Part of its life after which a certificate is replaced. */
const RENEWAL_SHARE = 2 / 3;
/** Certificates made together are replaced at times spread over this part of their life. */
const JITTER_SHARE = 1 / 10;

/**
 * When to replace a certificate: after two thirds of its life or up to a tenth of its life earlier.
 *
 * @param spread from 0 to 1, the same for the same certificate
 */
export function renewalTime({ notBefore, notAfter }: { notBefore: number; notAfter: number }, spread: number): number {
  return notBefore + (notAfter - notBefore) * (RENEWAL_SHARE - JITTER_SHARE * spread);
}
