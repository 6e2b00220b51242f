import type { ObjectKey } from "../base/keys.ts";
import { gatewayUri } from "./identity.ts";

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
  return ({ certificate }, { cluster: gateway = "" }) => {
    if (certificate === undefined) return { refused: "the client showed no certificate" };
    if (gateway === "") return { refused: "the node names no gateway as its cluster" };
    const names = certificate.subjectaltname ?? "";
    if (names === `URI:${gatewayUri(controllerNamespace, gateway)}`) return { gateway };
    const shown = names.slice(0, NAMES_SHOWN_MAX) || "nobody";
    return { refused: `the client's certificate is for ${shown}, its node claims to be of ${gateway}` };
  };
}

/** Longest part of a certificate's names that a log line repeats. */
const NAMES_SHOWN_MAX = 500;
