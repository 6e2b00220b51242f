/** Where Envoy finds the control plane. */
export type XdsAddress = { readonly unixPath: string } | { readonly host: string; readonly port: number };

/** How Envoy and the control plane know one another. Both files are read again when they change. */
export interface XdsTls {
  /** SDS file with Envoy's own certificate. */
  readonly certificateFile: string;
  /** SDS file with the authorities to trust and the name to expect. */
  readonly trustFile: string;
  /** Server name to ask for. */
  readonly serverName: string;
}

export interface ControlPlaneAddress {
  readonly address: XdsAddress;
  /** Absent: the address is reachable for Envoy alone (a Unix socket in a private folder). */
  readonly tls?: XdsTls;
}
