import type { ClientTrafficSettings } from "./client-traffic.ts";
import type { ListenerPlan } from "./model.ts";

/** What the effect of a field depends on. */
type Traits = Pick<ListenerPlan, "protocol" | "tlsMode">;

/** That a field means nothing on a listener, and of which listeners it says something. */
export interface IdleField {
  readonly field: string;
  readonly for: string;
}

interface Place {
  readonly field: string;
  readonly said: (settings: ClientTrafficSettings) => boolean;
  readonly counts: (listener: Traits) => boolean;
  readonly for: string;
}

const tlsFields = [
  ...["minVersion", "maxVersion", "ciphers", "ecdhCurves", "signatureAlgorithms", "alpnProtocols"],
  ...["clientValidation", "session", "fingerprints"],
] as readonly (keyof NonNullable<ClientTrafficSettings["tls"]>)[];

/** Fields that say something of some protocols only, beside those of requests as a whole. */
const places: readonly Place[] = [
  {
    field: "http3",
    said: ({ http3 }) => http3 !== undefined,
    counts: ({ protocol }) => protocol === "HTTPS",
    for: "HTTPS: HTTP/3 needs TLS",
  },
  {
    field: "timeout.tcp.idleTimeout",
    said: ({ timeout }) => timeout?.tcp?.idleTimeout !== undefined,
    counts: ({ protocol }) => protocol === "TCP" || protocol === "TLS",
    for: "TCP and TLS",
  },
  {
    field: "timeout.tcp.tlsHandshakeTimeout",
    said: ({ timeout }) => timeout?.tcp?.tlsHandshakeTimeout !== undefined,
    counts: ({ tlsMode }) => tlsMode === "Terminate",
    for: "HTTPS, and TLS that is terminated",
  },
  ...tlsFields.map(
    (name): Place => ({
      field: `tls.${name}`,
      said: ({ tls }) => tls?.[name] !== undefined,
      // The client's greeting is read also where TLS is passed through.
      counts: ({ tlsMode }) => (name === "fingerprints" ? tlsMode !== undefined : tlsMode === "Terminate"),
      for: name === "fingerprints" ? "HTTPS and TLS" : "HTTPS, and TLS that is terminated",
    }),
  ),
];

/** What is said and means nothing where the listener is. */
export function findIdleFields(listener: Traits, settings: ClientTrafficSettings): readonly IdleField[] {
  return places.filter(({ said, counts }) => said(settings) && !counts(listener));
}
