import type { ObjectKey } from "../base/keys.ts";
import type { SecretUse } from "./cluster-spec.ts";
import type { ConnectionSettings } from "./connection-settings.ts";

/**
 * A cluster by what it reaches and how. The name is `<reach>/<hash of everything else>`, so that routes share clusters and a
 * change of settings is a new cluster that routes move to. Build with `attach/cluster-spec.ts` only.
 */
export interface ClusterSpec {
  readonly name: string;
  readonly reach: ClusterReach;
  /** How to speak to the backend. `http1` default, `http2` = h2c or gRPC. */
  readonly protocol: "http1" | "http2";
  readonly tls?: UpstreamTls;
  /** Credential injected into requests by an upstream filter (HTTPRouteFilter credentialInjection). */
  readonly credential?: { readonly secret: ObjectKey; readonly header: string; readonly overwrite: boolean };
  /** Addresses to reach it by; undefined: IPv4 where there are both. */
  readonly family?: "IPv4" | "IPv6" | "DualStack";
  /** Of a server that Envoy itself calls: limits and timeouts of its connections. */
  readonly connection?: ConnectionSettings;
  /** Of a server that Envoy itself calls: what filters that call it take from xDS, beside what the cluster does. */
  readonly secrets?: readonly SecretUse[];
  /** What is counted beyond the usual, and the name under which it is (else the cluster's own). */
  readonly stats?: { readonly perEndpoint?: true; readonly sizes?: true; readonly name?: string };
}

export type ClusterReach =
  /** Endpoints from EndpointSlices of the Service whose port has this number; `portName` selects the slices' port. */
  | {
      readonly kind: "Service";
      readonly key: ObjectKey;
      readonly port: number;
      readonly portName: string;
      /** Set: the port of this number that takes datagrams. */
      readonly transport?: "UDP";
      /** Set: the one endpoint is the Service's own address, unless it has none. */
      readonly address?: "Service";
    }
  /** IP or unix endpoints of a Backend: EDS. `group` tells the Envoy Gateway kind from the compat one. */
  | { readonly kind: "Backend"; readonly key: ObjectKey; readonly group: string }
  /** Host names resolved by Envoy; part of the cluster itself, no EDS. */
  | {
      readonly kind: "Dns";
      readonly key: ObjectKey;
      readonly group: string;
      readonly endpoints: readonly BackendEndpoint[];
    }
  /** Backends of one rule of which some are `fallback: true`: one cluster with priorities, endpoints by EDS. */
  | {
      readonly kind: "Fallback";
      readonly members: readonly {
        readonly reach: Extract<ClusterReach, { kind: "Service" | "Backend" }>;
        readonly weight: number;
        readonly priority: number;
      }[];
    }
  /** The same where host names are among the endpoints, so that all are part of the cluster itself; Backends only. */
  | {
      readonly kind: "DnsFallback";
      readonly members: readonly {
        readonly reach: Extract<ClusterReach, { kind: "Dns" }>;
        readonly weight: number;
        readonly priority: number;
      }[];
    }
  /** The request's own Host header decides. */
  | { readonly kind: "DynamicResolver"; readonly key: ObjectKey };

/** An endpoint as a Backend lists it. */
export interface BackendEndpoint {
  readonly address: { readonly host: string; readonly port: number } | { readonly unixPath: string };
  readonly hostname?: string;
  readonly zone?: string;
  /** 0, or 1 for a Backend with `fallback: true`. */
  readonly priority: number;
}

/** Of type DNS it may begin with `*.`, which stands for any number of labels. */
export interface SubjectAltName {
  readonly type: "DNS" | "URI";
  readonly value: string;
}

export interface UpstreamTls {
  readonly sni?: string;
  /** Set: the certificate must carry one of these, else `sni`. */
  readonly subjectAltNames?: readonly SubjectAltName[];
  readonly autoSniFromEndpointHostname: boolean;
  readonly insecureSkipVerify: boolean;
  /** `System`: the host's trust store. Else keys `configmap/ns/name` or `secret/ns/name` of the objects with `ca.crt`. */
  readonly trust: "None" | "System" | readonly string[];
  readonly clientCertificate?: ObjectKey;
  readonly minVersion?: string;
  readonly maxVersion?: string;
  readonly ciphers?: readonly string[];
  readonly ecdhCurves?: readonly string[];
  readonly signatureAlgorithms?: readonly string[];
  readonly alpnProtocols?: readonly string[];
  readonly fingerprints?: readonly string[];
}
