/** Where Envoy finds the control plane. */
export type XdsAddress = { readonly unixPath: string } | { readonly host: string; readonly port: number };

/** How Envoy and the control plane know one another. Paths are those that Envoy sees. */
export interface XdsTls {
  /** DNS name that the control plane's certificate must carry. */
  readonly serverName: string;
  /** Folder with the files of `sdsFiles`. */
  readonly sdsFolder: string;
  /** Folder with `ca.crt` and, for a client certificate, `tls.crt` and `tls.key`. */
  readonly certificateFolder: string;
  /**
   * Absent: Envoy shows the certificate of that folder. Present: a ServiceAccount token, the file `token` of this folder, sent as a
   * bearer token with each stream.
   */
  readonly tokenFolder?: string;
}

/** ConfigMap with the authorities that Envoys trust, in each namespace with Envoys; its key is `ca.crt`. */
export const TRUST_CONFIG_MAP = "gatehouse-xds-ca";

export interface ControlPlaneAddress {
  readonly address: XdsAddress;
  /** Absent: the address is reachable for Envoy alone (a Unix socket in a private folder). */
  readonly tls?: XdsTls;
}
