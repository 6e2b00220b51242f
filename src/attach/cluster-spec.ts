import { compareStrings, type ObjectKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import { nameHash } from "../envoy/hash.ts";
import type { ClusterReach, ClusterSpec, SubjectAltName, UpstreamTls } from "./model.ts";

/** The group of a reach that no object stands for: a collector that an EnvoyProxy names by host and port. */
export const HOST_GROUP = "host";

/** How to speak to what is reached: everything of a cluster but its reach. */
export interface ClusterSettings {
  readonly protocol: ClusterSpec["protocol"];
  readonly tls?: UpstreamTls;
  readonly credential?: ClusterSpec["credential"];
  readonly family?: ClusterSpec["family"];
  readonly stats?: ClusterSpec["stats"];
  readonly connection?: ClusterSpec["connection"];
  readonly secrets?: ClusterSpec["secrets"];
}

/** A Secret resource that a cluster needs, and the object that it is made of. */
export interface SecretUse {
  /** Name of the xDS resource. One name has one use: a Secret object used in two ways has two resources. */
  readonly name: string;
  readonly use: "certificate" | "trust" | "credential" | "clientSecret" | "loginKey";
  /** `settings`: made of the settings of this instance. */
  readonly source: "secret" | "configmap" | "settings";
  /** Of the object; of what is made of settings, what tells it from others. */
  readonly key: ObjectKey;
  /** Further objects whose authorities belong to the same trust bundle. */
  readonly also?: readonly Pick<SecretUse, "source" | "key">[];
  /** Objects whose lists of revoked certificates belong to it: with one of them missing there is no bundle. */
  readonly revoked?: readonly Pick<SecretUse, "source" | "key">[];
}

const noSecrets: readonly SecretUse[] = Object.freeze([]);

/**
 * Builds the description of a cluster. Its name is what it reaches and a hash of the settings, so equal reach with equal
 * settings is one cluster for all routes, and new settings are a new cluster that routes move to. The list of host names of
 * a `Dns` reach is no part of the name: like EDS endpoints it changes in place, and no route notices.
 */
export function buildClusterSpec(reach: ClusterReach, settings: ClusterSettings): ClusterSpec {
  const { protocol, tls, credential, family, stats, connection, secrets } = settings;
  const ordered = tls && orderTls(tls);
  const usual = [identify(reach), protocol, ordered, orderCredential(credential)];
  const isUsual = family === undefined && stats === undefined && connection === undefined && secrets === undefined;
  const unusual = isUsual
    ? []
    : [family, orderStats(stats), connection, ...(secrets ? [secrets.map(({ name }) => name)] : [])];
  const identity = JSON.stringify([...usual, ...unusual]);
  return {
    name: flatText(nameReach(reach), "/", nameHash(identity)),
    reach,
    protocol,
    ...(ordered && { tls: ordered }),
    ...(credential && { credential }),
    ...(family && { family }),
    ...(stats && { stats }),
    ...(connection && { connection }),
    ...(secrets && { secrets }),
  };
}

/** The same without TLS of its own: the client's goes through to the backend. */
export function withoutTls(spec: ClusterSpec): ClusterSpec {
  const { name: _, reach, tls, ...settings } = spec;
  return tls === undefined ? spec : buildClusterSpec(reach, settings);
}

/** Equal for clusters that could be one but for their reach. */
export function settingsKey({ protocol, tls, credential }: ClusterSettings): string {
  return JSON.stringify([protocol, tls && orderTls(tls), orderCredential(credential)]);
}

/** Secrets that a cluster with this description names, sorted by name. */
export function secretsOf(spec: ClusterSpec): readonly SecretUse[] {
  if (spec.tls === undefined && spec.credential === undefined) return spec.secrets ?? noSecrets;
  const uses: SecretUse[] = [...(spec.secrets ?? [])];
  const { clientCertificate, trust } = spec.tls ?? {};
  if (clientCertificate !== undefined) {
    uses.push({ name: clientCertificate, use: "certificate", source: "secret", key: clientCertificate });
  }
  if (trust !== undefined) uses.push(...trustSecret(trust));
  if (spec.credential !== undefined) {
    const key = spec.credential.secret;
    uses.push({ name: `credential/${key}`, use: "credential", source: "secret", key });
  }
  return uses.sort((a, b) => compareStrings(a.name, b.name));
}

/** The one secret with all authorities of a list, and the lists of what they revoked; none for what needs none. */
export function trustSecret(trust: UpstreamTls["trust"], revoked: readonly string[] = []): readonly SecretUse[] {
  if (typeof trust === "string") return noSecrets;
  const [first, ...also] = trust.map(parseTrust);
  if (first === undefined) return noSecrets;
  if (revoked.length > 0) {
    const name = `trust/${nameHash(JSON.stringify([trust, revoked]))}`;
    return [{ name, use: "trust", ...first, ...(also.length > 0 && { also }), revoked: revoked.map(parseTrust) }];
  }
  if (also.length === 0) return [{ name: `${trust[0]}/ca.crt`, use: "trust", ...first }];
  return [{ name: `trust/${nameHash(JSON.stringify(trust))}`, use: "trust", ...first, also }];
}

/** An entry of {@link UpstreamTls.trust} and its like. */
export function parseTrust(reference: string): Pick<SecretUse, "source" | "key"> {
  const slash = reference.indexOf("/");
  return { source: reference.slice(0, slash) === "secret" ? "secret" : "configmap", key: reference.slice(slash + 1) };
}

/** What people read of a cluster's name: kind, namespace, name and port. Without dots, which part the names of statistics. */
function nameReach(reach: ClusterReach): string {
  return describeReach(reach).replaceAll(".", "_");
}

function describeReach(reach: ClusterReach): string {
  switch (reach.kind) {
    case "Service":
      return `service/${reach.key}/${reach.port}${reach.transport === "UDP" ? "/udp" : ""}`;
    case "Dns":
      return `${reach.group === HOST_GROUP ? "host" : "backend"}/${reach.key}`;
    case "Backend":
    case "DynamicResolver":
      return `backend/${reach.key}`;
    case "Fallback":
    case "DnsFallback": {
      const [first] = reach.members;
      return `fallback/${first?.reach.key ?? ""}`;
    }
  }
}

/** All of a reach that tells it from others, in a fixed order. */
function identify(reach: ClusterReach): readonly unknown[] {
  switch (reach.kind) {
    case "Service":
      return [
        ...["Service", reach.key, reach.port, reach.portName],
        ...(reach.address ? [reach.address] : []),
        ...(reach.transport ? [reach.transport] : []),
      ];
    case "Backend":
    case "Dns":
      return [reach.kind, reach.group, reach.key];
    case "DynamicResolver":
      return [reach.kind, reach.key];
    case "Fallback":
    case "DnsFallback":
      return [
        reach.kind,
        ...reach.members.map(({ reach, weight, priority }) => [...identify(reach), weight, priority]),
      ];
  }
}

/** The same settings with keys in a fixed order and set-like lists sorted: their JSON is canonical. */
function orderTls(tls: UpstreamTls): UpstreamTls {
  return {
    sni: tls.sni,
    subjectAltNames: tls.subjectAltNames && orderNames(tls.subjectAltNames),
    autoSniFromEndpointHostname: tls.autoSniFromEndpointHostname,
    insecureSkipVerify: tls.insecureSkipVerify,
    trust: typeof tls.trust === "string" ? tls.trust : [...new Set(tls.trust)].sort(),
    clientCertificate: tls.clientCertificate,
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
    ciphers: tls.ciphers,
    ecdhCurves: tls.ecdhCurves,
    signatureAlgorithms: tls.signatureAlgorithms,
    alpnProtocols: tls.alpnProtocols,
    fingerprints: tls.fingerprints,
  };
}

function orderNames(names: readonly SubjectAltName[]): readonly SubjectAltName[] {
  return names
    .map(({ type, value }) => ({ type, value }))
    .sort((a, b) => compareStrings(a.type, b.type) || compareStrings(a.value, b.value));
}

function orderStats(stats: ClusterSpec["stats"]): readonly unknown[] {
  return [stats?.perEndpoint, stats?.sizes, stats?.name];
}

function orderCredential(credential: ClusterSpec["credential"]): readonly unknown[] | null {
  return credential === undefined ? null : [credential.secret, credential.header, credential.overwrite];
}
