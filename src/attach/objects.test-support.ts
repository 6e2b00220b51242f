import { parse, parseAllDocuments } from "yaml";
import type { ConfigMap, Secret } from "../api/core.ts";
import type { BackendTLSPolicy, ReferenceGrant } from "../api/gateway-api.ts";
import type { KubernetesObject } from "../api/object.ts";
import type { Settings } from "./model.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import { planTlsPolicy } from "./tls-policy.ts";
import { settleClaims } from "./tls-targets.ts";

/** A message about a field: what is at fault, why, and after the semicolon what to do. */
export const explained = /^(Dropped Rule\(s\) \[\d+\]: )?Field spec\S+ [^;]+; [^.]+.*\.$/s;

/** Objects of a test by kind, read as the graph reads them. */
export interface TestObjects extends ResolveReader {
  /** The object of this kind, by its key. */
  find(kind: string, key: string): unknown;
}

export const testSettings: Settings = { controllerNames: [], hostInfrastructure: false, privilegedPortOffset: 0 };

/** One object from YAML text; the caller knows its kind. */
export function parseObject<T>(text: string): T {
  return withNamespace(parse(text)) as T;
}

/** Many objects from YAML documents, or already as objects. Everything is in namespace `a` unless it says otherwise. */
export function readObjects(
  text: string,
  extra: readonly KubernetesObject[] = [],
  settings: Partial<Settings> = {},
): TestObjects {
  const documents = parseAllDocuments(text).flatMap((document) =>
    document.contents === null ? [] : [document.toJS()],
  );
  const byKind = new Map<string, Map<string, unknown>>();
  const grants: ReferenceGrant[] = [];
  for (const object of [...documents.map(withNamespace), ...extra.map(withNamespace)]) {
    const group = object.apiVersion.includes("/") ? object.apiVersion.split("/")[0] : "";
    const kind = group === "gateway.kgateway.dev" ? "StaticBackend" : object.kind;
    const objects = byKind.get(kind) ?? new Map<string, unknown>();
    objects.set(`${object.metadata.namespace}/${object.metadata.name}`, object);
    byKind.set(kind, objects);
    if (object.kind === "ReferenceGrant") grants.push(object as unknown as ReferenceGrant);
  }
  const find = (kind: string, key: string) => byKind.get(kind)?.get(key);
  const policies = () => (byKind.get("BackendTLSPolicy") ?? new Map()) as ReadonlyMap<string, BackendTLSPolicy>;
  const reader =
    <T>(kind: string) =>
    (key: string) =>
      find(kind, key) as T;
  const follow = { secret: reader<Secret>("Secret"), configMap: reader<ConfigMap>("ConfigMap") };
  return {
    find,
    service: reader("Service"),
    backend: reader("Backend"),
    staticBackend: reader("StaticBackend"),
    routeFilter: reader("HTTPRouteFilter"),
    ...follow,
    tlsClaims(target) {
      const claims = settleClaims(target, policies());
      return claims.length === 0 ? undefined : claims;
    },
    tlsPolicy(key) {
      const policy = policies().get(key);
      return policy && planTlsPolicy(policy, follow);
    },
    grants: (namespace) => grants.filter(({ metadata }) => metadata.namespace === namespace),
    settings: { ...testSettings, ...settings },
  };
}

function withNamespace(object: KubernetesObject): KubernetesObject {
  return { ...object, metadata: { namespace: "a", ...object.metadata } };
}
