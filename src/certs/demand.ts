import { infrastructureName } from "../attach/infrastructure-name.ts";
import { type ObjectKey, splitObjectKey } from "../base/keys.ts";
import {
  gatewaySubject,
  rateLimitClientSubject,
  replicaSubject,
  type ServerService,
  serverSubject,
} from "./identity.ts";
import type { WantedLeaf } from "./leaves.ts";
import { RATE_LIMIT_CLIENT_SECRET, RATE_LIMIT_SERVER_SECRET, REPLICA_SECRET, SERVER_SECRET } from "./objects.ts";

/** Which certificates there must be. */
export interface Demand {
  readonly leaves: readonly WantedLeaf[];
  /** Namespaces in which Envoys run: each gets the authorities to trust. */
  readonly namespaces: ReadonlySet<string>;
}

export interface Installation {
  /** Of the xDS server, in the controller's namespace. */
  readonly service: ServerService;
  /** Such as `cluster.local`. */
  readonly clusterDomain: string;
  /** True: Envoys run in the namespaces of their Gateways and show ServiceAccount tokens instead of certificates. */
  readonly inGatewayNamespace: boolean;
  /** Of the rate limit service, where there is one. */
  readonly rateLimit?: ServerService;
}

/** @param gateways those that have Envoys: `namespace/name`, or the name of a GatewayClass whose Gateways share them */
export function demandOf(installation: Installation, gateways: Iterable<ObjectKey>): Demand {
  const { service, clusterDomain, inGatewayNamespace, rateLimit } = installation;
  const { namespace } = service;
  const server: WantedLeaf = { secretName: SERVER_SECRET, subject: serverSubject(service, clusterDomain) };
  const replica: WantedLeaf = { secretName: REPLICA_SECRET, subject: replicaSubject(namespace) };
  if (inGatewayNamespace) {
    return {
      leaves: [replica, server],
      namespaces: new Set([...gateways].map((gateway) => splitObjectKey(gateway).namespace)),
    };
  }
  const clients = [...gateways].map((gateway) => ({
    secretName: infrastructureName(gateway),
    subject: gatewaySubject(namespace, gateway),
    gateway,
  }));
  const counting: readonly WantedLeaf[] =
    rateLimit === undefined
      ? []
      : [
          { secretName: RATE_LIMIT_CLIENT_SECRET, subject: rateLimitClientSubject(namespace) },
          { secretName: RATE_LIMIT_SERVER_SECRET, subject: serverSubject(rateLimit, clusterDomain) },
        ];
  return { leaves: [replica, server, ...counting, ...clients], namespaces: new Set([namespace]) };
}
