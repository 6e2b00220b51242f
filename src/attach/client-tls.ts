import type { ObjectKey } from "../base/keys.ts";
import type { ListenerReferences } from "./certificates.ts";
import { planClientValidation } from "./client-certificates.ts";
import type { ClientTrafficPlan, ClientTrafficSettings } from "./client-traffic.ts";
import { type ClientValidation, type ClientValidationReader, takesAnyone } from "./client-validation.ts";
import type { ListenerCertificates, ListenerPlan } from "./model.ts";
import type { InheritedPolicy, PolicyFinding } from "./policy-model.ts";
import { findChoiceFaults, type TlsChoices } from "./tls-choices.ts";

type TlsSettings = NonNullable<ClientTrafficSettings["tls"]>;

/** What a ClientTrafficPolicy says of the TLS of a listener. What is left out is as without a policy, but for sessions. */
export interface ClientTls extends TlsChoices {
  /** How clients resume sessions: by tickets that they keep, by what Envoy remembers. */
  readonly resumption: { readonly stateless: boolean; readonly stateful: boolean };
}

export interface PlannedClientTls {
  readonly tls: ClientTls;
  /** Undefined: the policy says nothing of clients' certificates. */
  readonly validation?: ClientValidation;
}

/** @returns what the settings come to, to be used only where nothing of them is refused */
export function planClientTls(
  settings: TlsSettings,
  namespace: string,
  read: ClientValidationReader,
): {
  readonly planned: PlannedClientTls;
  readonly refused: readonly PolicyFinding[];
  readonly warnings: readonly PolicyFinding[];
} {
  const { clientValidation, minVersion, maxVersion, alpnProtocols, session } = settings;
  const choices = [...findChoiceFaults(settings)].map(({ field, text }) => ({ field: `spec.tls.${field}`, text }));
  const validated = clientValidation && planClientValidation(clientValidation, namespace, read);
  const tls: ClientTls = {
    ...bound("minVersion", minVersion),
    ...bound("maxVersion", maxVersion),
    ...words("ciphers", settings.ciphers),
    ...words("ecdhCurves", settings.ecdhCurves),
    ...words("signatureAlgorithms", settings.signatureAlgorithms),
    // None is something to say: then ALPN takes no part.
    ...(alpnProtocols && { alpnProtocols }),
    resumption: {
      stateless: session?.resumption?.stateless !== undefined,
      stateful: session?.resumption?.stateful !== undefined,
    },
  };
  return {
    planned: { tls, ...(validated && { validation: validated.validation }) },
    refused: [...choices, ...(validated?.findings ?? [])],
    warnings: [...findIdle(settings), ...findDeprecated(settings), ...(validated?.warnings ?? [])],
  };
}

function bound(name: "minVersion" | "maxVersion", version: string | undefined): TlsChoices {
  return version === undefined || version === "Auto" ? {} : { [name]: version };
}

function words(name: keyof TlsChoices, list: readonly string[] | undefined): TlsChoices {
  return list === undefined || list.length === 0 ? {} : { [name]: list };
}

function findDeprecated({ clientValidation }: TlsSettings): PolicyFinding[] {
  if (clientValidation?.optional === undefined) return [];
  const { mode, optional } = clientValidation;
  const rest =
    mode === undefined
      ? `write mode ${optional ? "VerifyIfGiven" : "RequireAndVerify"} instead`
      : `mode ${mode} counts`;
  const field = "spec.tls.clientValidation.optional";
  return [{ field, text: `is deprecated; ${rest}`, reason: "DeprecatedField" }];
}

/** By this, TLS before 1.2 knows nothing but suites that Envoy offers only when told to. */
function findIdle({ minVersion, ciphers = [] }: TlsSettings): PolicyFinding[] {
  if ((minVersion !== "1.0" && minVersion !== "1.1") || ciphers.some((word) => oldSuites.test(word))) return [];
  const text = `is ${minVersion}, and Envoy offers no cipher suite of TLS before 1.2 by itself; name one in ciphers, such as ECDHE-RSA-AES128-SHA`;
  return [{ field: "spec.tls.minVersion", text, reason: "NoEffect" }];
}

/** Suites with SHA-1, the only ones of TLS 1.0 and 1.1. */
const oldSuites = /-SHA(\||\]|$)/;

/** Fingerprints are of the client hello, which Envoy reads once for all listeners of a port. Sorted. */
export function fingerprintsOf(settings: Iterable<ClientTrafficSettings | undefined>): readonly ("JA3" | "JA4")[] {
  const all = [...settings].flatMap((each) => each?.tls?.fingerprints ?? []);
  return [...new Set(all)].sort();
}

/** The policy of a listener. */
export interface ListenerClients {
  readonly inherited?: InheritedPolicy | undefined;
  readonly plan?: ClientTrafficPlan | undefined;
}

/** Why a policy cannot be done on one listener, though on another it could: see {@link contradictionOf}. */
export type TlsContradiction = "said by the Gateway" | "not for streams";

type Placed = Pick<ListenerPlan, "protocol" | "frontendValidation">;

/**
 * Whom the listeners of a Gateway serve is for the Gateway to say, so the policy of a ListenerSet must not say it again: it may be
 * somebody else's. That of the Gateway, or of a listener of it, takes the place of `spec.tls.frontend`.
 * Any certificate, without authorities, is demanded when the client has sent something, and on a stream a backend may speak first.
 */
export function contradictionOf(
  { protocol, frontendValidation }: Placed,
  { inherited, plan }: ListenerClients,
): TlsContradiction | undefined {
  const validation = plan?.clientTls === "refused" ? undefined : plan?.clientTls?.validation;
  if (validation === undefined) return undefined;
  if (frontendValidation !== undefined && inherited?.from.kind === "ListenerSet") return "said by the Gateway";
  return protocol === "TLS" && takesAnyone(validation) ? "not for streams" : undefined;
}

/** The policy of a listener that terminates TLS cannot be done: nobody is served there. */
export function isTlsRefused(listener: Placed, clients: ListenerClients): boolean {
  const { plan } = clients;
  if (plan === undefined) return false;
  return (
    plan.settings === undefined || plan.clientTls === "refused" || contradictionOf(listener, clients) !== undefined
  );
}

/** What a listener that terminates TLS has in the end: its certificates, and whom it serves and how. */
export function settleListenerTls(references: ListenerReferences, clients: ListenerClients): ListenerCertificates {
  const { frontend, listener, ...certificates } = references;
  const refused = isTlsRefused(listener, clients);
  if (refused && listener.protocol === "TLS") return closedBy(clients.inherited?.policy ?? "", certificates);
  const planned = clients.plan?.clientTls;
  const { tls, validation } = refused || planned === "refused" ? {} : (planned ?? {});
  const own = { ...certificates, ...(tls && { clientTls: tls }) };
  if (validation) return { ...own, clientValidation: validation };
  if (frontend === undefined) return own;
  return {
    ...own,
    secrets: frontend.validation === undefined ? [] : own.secrets,
    ...(frontend.validation && { clientValidation: frontend.validation }),
    problems: [...own.problems, ...frontend.problems],
  };
}

/** HTTP can answer that a policy cannot be done; streams can only be closed. */
function closedBy(policy: ObjectKey, certificates: ListenerCertificates): ListenerCertificates {
  const message = `ClientTrafficPolicy ${policy} cannot be done as it is written, so connections are closed; see its status`;
  const problem = { condition: "Programmed", reason: "Invalid", message };
  return { ...certificates, secrets: [], problems: [...certificates.problems, problem] };
}
