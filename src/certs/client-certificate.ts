import { RATE_LIMIT_FLEET, RATE_LIMIT_NODE } from "../attach/rate-limit.ts";
import type { ObjectKey } from "../base/keys.ts";
import { gatewayUri, rateLimitUri } from "./identity.ts";

/** What an xDS stream says and shows of its client, as far as identity goes. */
export interface Caller {
  /** The certificate that TLS verified. */
  readonly certificate: { readonly subjectaltname?: string } | undefined;
}

/** The part of Envoy's node that claims whose configuration it wants. */
export interface Claim {
  readonly id?: string | undefined;
  readonly cluster?: string | undefined;
}

/** The gateway that is served, or why none is; `passing`: it cannot be told now. */
export type Decision =
  | { readonly gateway: ObjectKey; readonly until?: number }
  | { readonly refused: string; readonly passing?: boolean };

/**
 * Serves a client the gateway that its certificate names, and that its node claims, and no other.
 *
 * The name in the certificate is not parsed: what it must be is computed from the claim, and the two are compared.
 */
export function authorizeByCertificate(controllerNamespace: string): (caller: Caller, claim: Claim) => Decision {
  return ({ certificate }, { id, cluster: gateway = "" }) => {
    if (certificate === undefined) return { refused: "the client showed no certificate" };
    const names = certificate.subjectaltname ?? "";
    if (gateway === "") {
      // The rate limit service has no cluster in its node.
      return id === RATE_LIMIT_NODE && names === `URI:${rateLimitUri(controllerNamespace)}`
        ? { gateway: RATE_LIMIT_FLEET }
        : { refused: "the node names no gateway as its cluster" };
    }
    if (names === `URI:${gatewayUri(controllerNamespace, gateway)}`) return { gateway };
    const shown = names.slice(0, NAMES_SHOWN_MAX) || "nobody";
    return { refused: `the client's certificate is for ${shown}, its node claims to be of ${gateway}` };
  };
}

/** Longest part of a certificate's names that a log line repeats. */
const NAMES_SHOWN_MAX = 500;
