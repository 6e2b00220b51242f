import { complaintsOf, type SchemaError } from "./complaints.ts";
import type { FieldProblem } from "./field.ts";
import type { NameRule } from "./metadata.ts";
import type { KubernetesObject } from "./object.ts";
import type { KindDefinition } from "./schema.ts";
import { normalize, type Shape } from "./shape.ts";
import { type ContentValidator, compileDefinition } from "./validator.ts";

/** Names of the source collections, one a kind. */
export type CollectionName =
  | "gatewayClasses"
  | "gateways"
  | "listenerSets"
  | "httpRoutes"
  | "grpcRoutes"
  | "tlsRoutes"
  | "tcpRoutes"
  | "udpRoutes"
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
  | "backendTrafficPolicies"
  | "securityPolicies";

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

export type Kind = SupportedKind & Validation;

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

export function modelKind<T extends KubernetesObject>(kind: T["kind"], options: ModelKind<T>): Kind {
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

export function definedKind(definition: KindDefinition, collection: CollectionName): Kind {
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
