import type { TlsChoices } from "../attach/tls-choices.ts";
import {
  type TlsParameters,
  TlsParameters_TlsProtocol,
} from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/common.ts";

const protocols: Readonly<Record<string, TlsParameters_TlsProtocol>> = {
  "1.0": TlsParameters_TlsProtocol.TLSv1_0,
  "1.1": TlsParameters_TlsProtocol.TLSv1_1,
  "1.2": TlsParameters_TlsProtocol.TLSv1_2,
  "1.3": TlsParameters_TlsProtocol.TLSv1_3,
};

/** What Envoy negotiates. A lower bound that is not said is left to Envoy. */
export function buildTlsParameters(tls: TlsChoices): TlsParameters {
  return {
    ...(tls.minVersion !== undefined && { tlsMinimumProtocolVersion: protocols[tls.minVersion] }),
    // Said explicitly: releases of Envoy differ on whether a client goes beyond 1.2 by itself.
    tlsMaximumProtocolVersion: protocols[tls.maxVersion ?? "1.3"],
    ...(tls.ciphers && { cipherSuites: [...tls.ciphers] }),
    ...(tls.ecdhCurves && { ecdhCurves: [...tls.ecdhCurves] }),
    ...(tls.signatureAlgorithms && { signatureAlgorithms: [...tls.signatureAlgorithms] }),
  };
}
