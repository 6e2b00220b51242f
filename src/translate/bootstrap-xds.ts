import type { XdsTls } from "../envoy/control-plane.ts";
import { ApiVersion } from "../envoy/generated/envoy/config/core/v3/config_source.ts";
import type { SdsSecretConfig } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/secret.ts";

const TRUSTED_CA = "xds_trusted_ca";
const CERTIFICATE = "xds_certificate";
const TOKEN = "xds_token";
const secretTypeUrl = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/**
 * Files through which Envoy learns of its certificates, by name. They never change; the files that they name do, and Envoy reads
 * those again when the kubelet swaps the folder's content.
 */
export function sdsFiles(tls: XdsTls): Readonly<Record<string, string>> {
  const { certificateFolder, tokenFolder, serverName } = tls;
  const watched_directory = { path: certificateFolder };
  const trusted = secretFile(TRUSTED_CA, {
    validation_context: {
      trusted_ca: { filename: `${certificateFolder}/ca.crt` },
      watched_directory,
      match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: serverName } }],
    },
  });
  const own =
    tokenFolder === undefined
      ? secretFile(CERTIFICATE, {
          tls_certificate: {
            certificate_chain: { filename: `${certificateFolder}/tls.crt` },
            private_key: { filename: `${certificateFolder}/tls.key` },
            watched_directory,
          },
        })
      : secretFile(TOKEN, {
          generic_secret: { secret: { filename: `${tokenFolder}/token`, watched_directory: { path: tokenFolder } } },
        });
  return { ...trusted, ...own };
}

function fileOf(name: string): string {
  return `${name.replaceAll("_", "-")}.json`;
}

function secretFile(name: string, secret: object): Readonly<Record<string, string>> {
  return { [fileOf(name)]: JSON.stringify({ resources: [{ "@type": secretTypeUrl, name, ...secret }] }) };
}

/** The transport socket of the cluster through which Envoy reaches the control plane. */
export function buildXdsTransport(tls: XdsTls): object {
  const tls13 = "TLSv1_3";
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
      sni: tls.serverName,
      // A resumed session would be one of the old certificate.
      max_session_keys: 0,
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: tls13, tls_maximum_protocol_version: tls13 },
        alpn_protocols: ["h2"],
        validation_context_sds_secret_config: fromFile(tls, TRUSTED_CA),
        ...(tls.tokenFolder === undefined && {
          tls_certificate_sds_secret_configs: [fromFile(tls, CERTIFICATE)],
        }),
      },
    },
  };
}

/** Filters of that cluster: they put the token on each stream. None with a client certificate. */
export function buildXdsFilters(tls: XdsTls): readonly object[] {
  if (tls.tokenFolder === undefined) return [];
  return [
    {
      name: "envoy.filters.http.credential_injector",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        overwrite: true,
        credential: {
          name: "envoy.http.injected_credentials.generic",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
            credential: fromFile(tls, TOKEN),
            header: "authorization",
            header_value_prefix: "Bearer ",
          },
        },
      },
    },
    {
      name: "envoy.filters.http.upstream_codec",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
      },
    },
  ];
}

/** What Envoy shows the control plane and whom it believes, for a cluster of another server of ours. */
export function fromXdsFiles(tls: XdsTls): Record<"certificate" | "trust", SdsSecretConfig> {
  const read = (name: string): SdsSecretConfig => {
    const path = `${tls.sdsFolder}/${fileOf(name)}`;
    const pathConfigSource = { path, watchedDirectory: { path: tls.sdsFolder } };
    return { name, sdsConfig: { pathConfigSource, resourceApiVersion: ApiVersion.V3 } };
  };
  return { certificate: read(CERTIFICATE), trust: read(TRUSTED_CA) };
}

function fromFile({ sdsFolder }: XdsTls, name: string): object {
  const path_config_source = { path: `${sdsFolder}/${fileOf(name)}`, watched_directory: { path: sdsFolder } };
  return { name, sds_config: { path_config_source, resource_api_version: "V3" } };
}
