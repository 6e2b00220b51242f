import { createHash } from "node:crypto";
import type { ObjectKey } from "../base/keys.ts";

const READABLE_CHARACTERS_MAX = 48;
const HASH_CHARACTERS = 8;
const LABEL_CHARACTERS_MAX = 63;

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, HASH_CHARACTERS);
}

/**
 * Name of what runs for a Gateway, as Envoy Gateway makes it, so that its users find their objects: `envoy-`, the key with a dash
 * for the slash, and the beginning of a hash, since two keys may read the same once they are cut. A dot, which a Service may not
 * have in its name, becomes a dash too.
 *
 * @param key of a Gateway, or the name of a GatewayClass whose Gateways share their Envoys
 */
export function infrastructureName(key: ObjectKey): string {
  return `envoy-${key.replace(/[/.]/g, "-").slice(0, READABLE_CHARACTERS_MAX)}-${hashOf(key)}`;
}

const SERVICE_NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

/**
 * Name of a Gateway's Service in its own namespace while Envoy runs elsewhere: Gateway and class, as Gateway API has what is made for
 * a Gateway beside it be called (GEP-1762), so that it is unlikely to be a Service's of somebody else.
 */
export function aliasName(gateway: string, className: string): string {
  const name = `${gateway}-${className}`;
  if (name.length <= LABEL_CHARACTERS_MAX && SERVICE_NAME.test(name)) return name;
  return `gateway-${name.replace(/[^-a-z0-9]/g, "-").slice(0, READABLE_CHARACTERS_MAX - 2)}-${hashOf(name)}`;
}

/** The name of an object as the value of a label, which may be shorter than a name. */
export function labelValue(name: string): string {
  if (name.length <= LABEL_CHARACTERS_MAX) return name;
  return `${name.slice(0, LABEL_CHARACTERS_MAX - HASH_CHARACTERS - 1)}-${hashOf(name)}`;
}

/** Labels of everything that is made for a Gateway, beside those that users add. */
export const infrastructureLabels = {
  appName: "app.kubernetes.io/name",
  component: "app.kubernetes.io/component",
  managedBy: "app.kubernetes.io/managed-by",
  owningNamespace: "gateway.envoyproxy.io/owning-gateway-namespace",
  owningName: "gateway.envoyproxy.io/owning-gateway-name",
  /** In place of the two where Gateways of a class share their Envoys. */
  owningClass: "gateway.envoyproxy.io/owning-gatewayclass",
  /** Gateway API, GEP-1762; on objects beside their Gateway. */
  gatewayName: "gateway.networking.k8s.io/gateway-name",
  /** Tells installations apart that share a cluster: its value is the namespace of the controller. */
  installation: "gatehouse.dev/installation",
} as const;

/** Annotations of everything that is made for a Gateway, beside those that users add. */
export const infrastructureAnnotations = {
  /** The fleet in full, which as a label may be cut. */
  gateway: "gatehouse.dev/gateway",
  /** Hash of an object as it was rendered when it was last applied. */
  rendered: "gatehouse.dev/rendered",
} as const;

/** A user who sets one of them would take objects away from their Gateway. */
export const reservedLabels: ReadonlySet<string> = new Set(Object.values(infrastructureLabels));
export const reservedAnnotations: ReadonlySet<string> = new Set(Object.values(infrastructureAnnotations));
