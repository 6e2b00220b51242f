import type { Backend } from "../api/backend.ts";
import type { ConfigMap, Secret, Service } from "../api/core.ts";
import type { HTTPRouteFilter } from "../api/httproutefilter.ts";
import type { StaticBackend } from "../api/static-backend.ts";
import type { ObjectKey } from "../base/keys.ts";
import type { GrantReader } from "./grants.ts";
import type { Settings } from "./model.ts";
import type { TlsPolicyPlan } from "./tls-policy.ts";
import type { TlsClaim, TlsTarget } from "./tls-targets.ts";

/** What is read to follow the references of a route. Every read is tracked by the dataflow engine. */
export interface ResolveReader {
  service(key: ObjectKey): Service | undefined;
  backend(key: ObjectKey): Backend | undefined;
  staticBackend(key: ObjectKey): StaticBackend | undefined;
  routeFilter(key: ObjectKey): HTTPRouteFilter | undefined;
  secret(key: ObjectKey): Secret | undefined;
  configMap(key: ObjectKey): ConfigMap | undefined;
  /** Undefined: no BackendTLSPolicy targets it. */
  tlsClaims(target: TlsTarget): readonly TlsClaim[] | undefined;
  tlsPolicy(key: ObjectKey): TlsPolicyPlan | undefined;
  readonly grants: GrantReader;
  readonly settings: Settings;
}
