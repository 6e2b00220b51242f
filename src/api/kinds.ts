import { validate as validateBackendTlsPolicy } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1BackendTLSPolicy";
import { validate as validateGateway } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1Gateway";
import { validate as validateGatewayClass } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1GatewayClass";
import { validate as validateGrpcRoute } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1GRPCRoute";
import { validate as validateHttpRoute } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1HTTPRoute";
import { validate as validateReferenceGrant } from "@kubernetes-models/gateway-api/_schemas/IoK8sSigsGatewayApiApisV1ReferenceGrant";
import { validate as validateConfigMap } from "kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap";
import { validate as validateNamespace } from "kubernetes-models/_schemas/IoK8sApiCoreV1Namespace";
import { validate as validateSecret } from "kubernetes-models/_schemas/IoK8sApiCoreV1Secret";
import { validate as validateService } from "kubernetes-models/_schemas/IoK8sApiCoreV1Service";
import { validate as validateEndpointSlice } from "kubernetes-models/_schemas/IoK8sApiDiscoveryV1EndpointSlice";
import { backendDefinition } from "./backend.ts";
import { checkBackendTlsPolicy } from "./backend-tls-policy-rules.ts";
import { backendTrafficPolicyDefinition } from "./backendtrafficpolicy.ts";
import { clientTrafficPolicyDefinition } from "./clienttrafficpolicy.ts";
import { complaintsOf, locate, type SchemaError } from "./complaints.ts";
import { checkEndpointSlice, checkService, completeNamespace, completeSecret, completeService } from "./core-rules.ts";
import { coreShapes } from "./core-shapes.ts";
import { envoyProxyDefinition } from "./envoyproxy.ts";
import { type FieldProblem, isRecord } from "./field.ts";
import { gatewayGroup } from "./gateway-api.ts";
import { checkGateway } from "./gateway-rules.ts";
import { gatewayShapes } from "./gateway-shapes.ts";
import { httpRouteFilterDefinition } from "./httproutefilter.ts";
import { type NameRule, readMetadata } from "./metadata.ts";
import type { KubernetesObject, ObjectMeta } from "./object.ts";
import { checkGrpcRoute, checkHttpRoute } from "./route-rules.ts";
import type { KindDefinition } from "./schema.ts";
import { normalize, type Shape } from "./shape.ts";
import { staticBackendDefinition } from "./static-backend.ts";
import { type ContentValidator, compileDefinition } from "./validator.ts";

/** Names of the source collections, one a kind. */
export type CollectionName =
  | "gatewayClasses"
  | "gateways"
  | "httpRoutes"
  | "grpcRoutes"
  | "referenceGrants"
  | "backendTlsPolicies"
  | "namespaces"
  | "services"
  | "endpointSlices"
  | "secrets"
  | "configMaps"
  | "backends"
  | "staticBackends"
  | "httpRouteFilters"
  | "envoyProxies"
  | "clientTrafficPolicies"
  | "backendTrafficPolicies";

/** A kind that Gatehouse reads. */
export interface SupportedKind {
  /** Empty for the core group. */
  readonly group: string;
  /** Versions understood; an object is handed on in the first. */
  readonly versions: readonly string[];
  readonly kind: string;
  readonly namespaced: boolean;
  readonly collection: CollectionName;
}

interface Validation {
  /** Judges everything but apiVersion, kind, metadata and status. */
  readonly validate: (content: Record<string, unknown>, head: KubernetesObject) => ReturnType<ContentValidator>;
  readonly nameRule: NameRule;
  /** What an API server writes into an object beyond plain defaults. */
  readonly complete: (object: KubernetesObject) => KubernetesObject;
}

type Kind = SupportedKind & Validation;

/** A validator generated from the OpenAPI models; it leaves its errors on itself. */
type ModelValidator = ((data: unknown) => boolean) & { errors?: readonly SchemaError[] | null };

interface ModelKind<T extends KubernetesObject> {
  readonly group?: string;
  readonly versions?: readonly string[];
  readonly namespaced?: boolean;
  readonly collection: CollectionName;
  readonly shape: Shape;
  readonly model: ModelValidator;
  /** Errors that the model finds where the API has none. */
  readonly mistaken?: (error: SchemaError, object: unknown) => boolean;
  /** Runs on objects that the model accepts. */
  readonly check?: (object: T) => FieldProblem[];
  readonly complete?: (object: T) => T;
  readonly nameRule?: NameRule;
  /** Values of its fields must not appear in messages. */
  readonly secret?: boolean;
}

function modelKind<T extends KubernetesObject>(kind: T["kind"], options: ModelKind<T>): Kind {
  const { shape, model, mistaken = () => false, check, complete, collection, secret = false } = options;
  return {
    group: options.group ?? "",
    versions: options.versions ?? ["v1"],
    kind,
    namespaced: options.namespaced ?? true,
    collection,
    nameRule: options.nameRule ?? "name",
    validate(raw, head) {
      const normalized = normalize(shape, raw);
      const content = normalized.value as Record<string, unknown>;
      const problems = normalized.problems;
      const object = { ...head, ...content };
      const errors = model(object) ? [] : (model.errors ?? []).filter((error) => !mistaken(error, object));
      if (errors.length > 0) problems.push(...complaintsOf(errors, object, !secret));
      else if (check && problems.length === 0) problems.push(...check(object as unknown as T));
      return { content, problems };
    },
    complete: (object) => (complete ? complete(object as unknown as T) : object),
  };
}

function definedKind(definition: KindDefinition, collection: CollectionName): Kind {
  let validator: ContentValidator | undefined;
  return {
    group: definition.group,
    versions: [definition.version],
    kind: definition.kind,
    namespaced: true,
    collection,
    nameRule: "name",
    validate(content) {
      validator ??= compileDefinition(definition);
      return validator(content);
    },
    complete: (object) => object,
  };
}

/** The models know the field of this filter (of the experimental channel) but not its type; the route's status says what comes of it. */
function isExternalAuth({ keyword, instancePath }: SchemaError, object: unknown): boolean {
  const isType = keyword === "enum" && /\/filters\/\d+\/type$/.test(instancePath);
  return isType && locate(object, instancePath).value === "ExternalAuth";
}

const kinds: readonly Kind[] = [
  modelKind("GatewayClass", {
    group: gatewayGroup,
    versions: ["v1", "v1beta1"],
    namespaced: false,
    collection: "gatewayClasses",
    shape: gatewayShapes.GatewayClass,
    model: validateGatewayClass,
  }),
  modelKind("Gateway", {
    group: gatewayGroup,
    versions: ["v1", "v1beta1"],
    collection: "gateways",
    shape: gatewayShapes.Gateway,
    model: validateGateway,
    check: checkGateway,
  }),
  modelKind("HTTPRoute", {
    group: gatewayGroup,
    versions: ["v1", "v1beta1"],
    collection: "httpRoutes",
    shape: gatewayShapes.HTTPRoute,
    model: validateHttpRoute,
    mistaken: isExternalAuth,
    check: checkHttpRoute,
  }),
  modelKind("GRPCRoute", {
    group: gatewayGroup,
    collection: "grpcRoutes",
    shape: gatewayShapes.GRPCRoute,
    model: validateGrpcRoute,
    check: checkGrpcRoute,
  }),
  modelKind("ReferenceGrant", {
    group: gatewayGroup,
    versions: ["v1", "v1beta1"],
    collection: "referenceGrants",
    shape: gatewayShapes.ReferenceGrant,
    model: validateReferenceGrant,
  }),
  modelKind("BackendTLSPolicy", {
    group: gatewayGroup,
    collection: "backendTlsPolicies",
    shape: gatewayShapes.BackendTLSPolicy,
    model: validateBackendTlsPolicy,
    check: checkBackendTlsPolicy,
  }),
  modelKind("Namespace", {
    namespaced: false,
    collection: "namespaces",
    shape: coreShapes.Namespace,
    model: validateNamespace,
    complete: completeNamespace,
    nameRule: "label",
  }),
  modelKind("Service", {
    collection: "services",
    shape: coreShapes.Service,
    model: validateService,
    check: checkService,
    complete: completeService,
    nameRule: "label",
  }),
  modelKind("EndpointSlice", {
    group: "discovery.k8s.io",
    collection: "endpointSlices",
    shape: coreShapes.EndpointSlice,
    model: validateEndpointSlice,
    check: checkEndpointSlice,
  }),
  modelKind("Secret", {
    collection: "secrets",
    shape: coreShapes.Secret,
    model: validateSecret,
    complete: completeSecret,
    secret: true,
  }),
  modelKind("ConfigMap", { collection: "configMaps", shape: coreShapes.ConfigMap, model: validateConfigMap }),
  definedKind(backendDefinition, "backends"),
  definedKind(staticBackendDefinition, "staticBackends"),
  definedKind(httpRouteFilterDefinition, "httpRouteFilters"),
  definedKind(envoyProxyDefinition, "envoyProxies"),
  definedKind(clientTrafficPolicyDefinition, "clientTrafficPolicies"),
  definedKind(backendTrafficPolicyDefinition, "backendTrafficPolicies"),
];

/** Every kind that Gatehouse reads. */
export const supportedKinds: readonly SupportedKind[] = kinds;

const byGroupKind: ReadonlyMap<string, Kind> = new Map(kinds.map((kind) => [`${kind.group}/${kind.kind}`, kind]));

function splitApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf("/");
  return slash < 0
    ? { group: "", version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** The kind of an object by its apiVersion and kind, whatever the version. */
export function kindOf(object: { readonly apiVersion: string; readonly kind: string }): SupportedKind | undefined {
  return byGroupKind.get(`${splitApiVersion(object.apiVersion).group}/${object.kind}`);
}

/** Name of the source collection that an object belongs to; undefined for kinds that Gatehouse does not read. */
export function collectionOf(object: KubernetesObject): CollectionName | undefined {
  return kindOf(object)?.collection;
}

export interface ValidationResult {
  /**
   * The object as an API server would store it: defaults filled in, metadata slimmed, status dropped. Absent if there is a problem,
   * other than unknown fields where these are dropped.
   */
  readonly object?: KubernetesObject;
  readonly problems: readonly FieldProblem[];
  /** True: nothing is wrong with the object, only that Gatehouse does not read its kind; the problem says so. */
  readonly unsupported?: boolean;
}

/**
 * Receives what a user wrote, as an API server with strict field validation would. O(size); about 10 to 20 µs for a route.
 *
 * @param unknownFields `drop`: leave them out and report them beside the object, for objects of API servers that are newer than
 * this program
 */
export function validateObject(raw: unknown, unknownFields: "refuse" | "drop" = "refuse"): ValidationResult {
  if (!isRecord(raw))
    return { problems: [{ path: [], message: "must be a Kubernetes object: apiVersion, kind, metadata …" }] };
  const { apiVersion, kind: kindName, metadata: rawMetadata, status: _, ...rawContent } = raw;
  const missing = (["apiVersion", "kind"] as const).filter(
    (field) => typeof raw[field] !== "string" || raw[field] === "",
  );
  if (typeof apiVersion !== "string" || typeof kindName !== "string" || missing.length > 0) {
    return { problems: missing.map((field) => ({ path: [field], message: "is required" })) };
  }
  const { group, version } = splitApiVersion(apiVersion);
  const kind = byGroupKind.get(`${group}/${kindName}`);
  if (kind === undefined) return { unsupported: true, problems: [unsupportedKind(apiVersion, kindName)] };
  if (!kind.versions.includes(version)) {
    const known = kind.versions.map((name) => (group === "" ? name : `${group}/${name}`)).join(" or ");
    return {
      problems: [{ path: ["apiVersion"], message: `must be ${known} for kind ${kindName} (it is ${apiVersion})` }],
    };
  }
  const { metadata, problems: metadataProblems } = readMetadata(rawMetadata, kind.nameRule);
  const head: KubernetesObject = {
    apiVersion: group === "" ? kind.versions[0]! : `${group}/${kind.versions[0]}`,
    kind: kindName,
    metadata: placed(metadata ?? { name: "unnamed" }, kind),
  };
  const { content, problems: contentProblems } = kind.validate(rawContent, head);
  const problems = [...metadataProblems, ...contentProblems];
  const usable = unknownFields === "drop" && problems.every((problem) => problem.unknownField);
  if (problems.length > 0 && !usable) return { problems };
  return { object: kind.complete({ ...head, ...content }), problems };
}

/** Namespaced objects that name no namespace are in `default`; others are in none. */
function placed({ namespace, ...metadata }: ObjectMeta, { namespaced }: SupportedKind): ObjectMeta {
  return namespaced ? { ...metadata, namespace: namespace || "default" } : metadata;
}

function unsupportedKind(apiVersion: string, kind: string): FieldProblem {
  const names = supportedKinds.map((supported) => supported.kind);
  const known = [...new Set(names)].join(", ");
  return { path: ["kind"], message: `${kind} of ${apiVersion} is not read by Gatehouse, which reads ${known}` };
}
