import { type EnvoyProxy, type EnvoyProxySpec, envoyProxyDefinition } from "../api/envoyproxy.ts";
import { formatPath } from "../api/field.ts";
import type { Gateway, GatewayClass } from "../api/gateway-api.ts";
import { type ContentValidator, compileDefinition } from "../api/validator.ts";
import { type ObjectKey, objectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import { judgeProxy } from "./envoy-proxy-judge.ts";
import type { Settings } from "./model.ts";
import { mergeObjects } from "./object-merge.ts";

/** Something about one field of an EnvoyProxy; `text` completes a sentence that begins with the field, without a period. */
export interface ProxyFinding {
  readonly field: string;
  readonly text: string;
  /** Of a warning: the condition's reason, `NoEffect` when left out. */
  readonly reason?: string;
}

/** What a GatewayClass or a Gateway says about its Envoys, with what the less specific levels say. */
export interface ProxyLevel {
  /** The EnvoyProxy that this level refers to, whether it exists or not. */
  readonly source?: ObjectKey;
  /** Its spec as written. */
  readonly own?: EnvoyProxySpec;
  /** Where the references of each part are followed: in the namespace of the EnvoyProxy that has it. */
  readonly namespaces: PartNamespaces;
  /** What is in effect: merged, with the parts that `refused` names still in it. */
  readonly spec: EnvoyProxySpec;
  /** What is wrong with the reference itself; then `spec` is that of the less specific level. */
  readonly reference?: string;
  /** What cannot work. Not empty: nothing is run or changed for this level. */
  readonly refused: readonly ProxyFinding[];
  /** What has no effect here but does no harm. */
  readonly warnings: readonly ProxyFinding[];
  /** The EnvoyProxy that a Gateway refers to in vain, because it shares its Envoys with others. */
  readonly unused?: ObjectKey;
  /** What is wrong with such a reference. */
  readonly vainReference?: string;
}

export interface PartNamespaces {
  readonly backendTls?: string;
  readonly accessLog?: string;
  readonly tracing?: string;
  readonly metrics?: string;
}

export type ProxyReader = (key: ObjectKey) => EnvoyProxy | undefined;

interface ParametersReference {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

const GROUP = envoyProxyDefinition.group;
const KIND = envoyProxyDefinition.kind;

/** The level of a class: its EnvoyProxy over the default of the configuration file. */
export function resolveClassProxy(gatewayClass: GatewayClass, settings: Settings, read: ProxyReader): ProxyLevel {
  const base = settings.defaultProxy ?? {};
  const { parametersRef } = gatewayClass.spec;
  if (parametersRef === undefined) return { spec: base, namespaces: {}, ...judgeProxy(base, "GatewayClass", settings) };
  const found = follow(parametersRef, parametersRef.namespace, read);
  if (typeof found === "string")
    return refused({ spec: base, namespaces: {} }, found, sourceOf(parametersRef, parametersRef.namespace));
  return judged("GatewayClass", settings, found, merge(base, found.spec, found.spec.mergeType), {});
}

/**
 * The level of a Gateway. A mergeType of the Gateway's EnvoyProxy also says how the class's comes together with the default when
 * that one says nothing itself (Envoy Gateway's rule).
 */
export function resolveGatewayProxy(
  gateway: Gateway,
  classLevel: ProxyLevel,
  isMerged: boolean,
  settings: Settings,
  read: ProxyReader,
): ProxyLevel {
  const reference = gateway.spec.infrastructure?.parametersRef;
  const namespace = gateway.metadata.namespace ?? "";
  if (reference === undefined) return { ...classLevel, source: undefined };
  // All Gateways of such a class share their Envoys, so none can have an EnvoyProxy of its own.
  if (isMerged) {
    const unused = sourceOf(reference, namespace);
    const found = follow(reference, namespace, read);
    return {
      ...classLevel,
      source: undefined,
      ...(unused !== undefined && { unused }),
      ...(typeof found === "string" && { vainReference: found }),
    };
  }
  const found = follow(reference, namespace, read);
  if (typeof found === "string") return refused(classLevel, found, sourceOf(reference, namespace));
  const { mergeType } = found.spec;
  if (mergeType === undefined || mergeType === "Replace") return judged("Gateway", settings, found, found.spec, {});
  const { own } = classLevel;
  const below =
    own === undefined ? classLevel.spec : merge(settings.defaultProxy ?? {}, own, own.mergeType ?? mergeType);
  return judged("Gateway", settings, found, merge(below, found.spec, mergeType), classLevel.namespaces);
}

/**
 * Whether the Gateways of a class share their Envoys. While its EnvoyProxy cannot be used, what runs goes on as it was, so then it
 * is as it was before.
 */
export function mergesGateways(
  { spec, reference, refused }: ProxyLevel,
  settings: Settings,
  before?: boolean,
): boolean {
  if (before !== undefined && (reference !== undefined || refused.length > 0)) return before;
  return spec.mergeGateways === true && !settings.inGatewayNamespace;
}

/** What a level's problems mean to the object that refers to the EnvoyProxy in `field`. */
export function parameterProblems(level: ProxyLevel, field: string): Problem[] {
  const report = (text: string) => problemAt("Accepted", "InvalidParameters", field, text);
  if (level.reference !== undefined) return [report(level.reference)];
  const subject =
    level.source === undefined ? "the EnvoyProxy of its class, or the default," : `EnvoyProxy ${level.source}`;
  const said = level.refused.map(({ field: own, text }) => `field ${own} ${text}`);
  return said.length === 0 ? [] : [report(`leads to ${subject} whose ${said.join(". Its ")}`)];
}

function refused(
  { spec, namespaces }: Pick<ProxyLevel, "spec" | "namespaces">,
  reference: string,
  source?: ObjectKey,
): ProxyLevel {
  return { spec, namespaces, reference, refused: [], warnings: [], ...(source !== undefined && { source }) };
}

function judged(
  level: "GatewayClass" | "Gateway",
  settings: Settings,
  found: EnvoyProxy,
  spec: EnvoyProxySpec,
  below: PartNamespaces,
): ProxyLevel {
  const source = objectKey(found.metadata.namespace, found.metadata.name);
  const invalid = spec === found.spec ? [] : findInvalid(spec);
  const verdict = judgeProxy(spec, level, settings);
  const { backendTLS, telemetry } = found.spec;
  const namespace = found.metadata.namespace ?? "";
  const namespaces = {
    ...below,
    ...(backendTLS && { backendTls: namespace }),
    ...(telemetry?.accessLog && { accessLog: namespace }),
    ...(telemetry?.tracing && { tracing: namespace }),
    ...(telemetry?.metrics?.sinks && { metrics: namespace }),
  };
  return {
    source,
    namespaces,
    own: found.spec,
    spec,
    refused: [...invalid, ...verdict.refused],
    warnings: verdict.warnings,
  };
}

function sourceOf({ group, kind, name }: ParametersReference, namespace: string | undefined): ObjectKey | undefined {
  return group === GROUP && kind === KIND && namespace !== undefined ? objectKey(namespace, name) : undefined;
}

/** The EnvoyProxy, or what is wrong with the reference. */
function follow(reference: ParametersReference, namespace: string | undefined, read: ProxyReader): EnvoyProxy | string {
  const { group, kind, name } = reference;
  if (group !== GROUP || kind !== KIND) {
    return `names ${kind} ${name} of group ${group || "core"}, and only ${KIND} of group ${GROUP} is read; name one`;
  }
  if (namespace === undefined) return "names no namespace; add that of the EnvoyProxy";
  const key = objectKey(namespace, name);
  return read(key) ?? `names EnvoyProxy ${key}, which does not exist; create it or remove the field`;
}

type MergeType = EnvoyProxySpec["mergeType"];

function merge(base: EnvoyProxySpec, over: EnvoyProxySpec, type: MergeType): EnvoyProxySpec {
  if (type === undefined || type === "Replace") return over;
  return mergeObjects(base, over, type, mergeKeys) as EnvoyProxySpec;
}

/** Lists of an EnvoyProxy that the API server merges by a field too. */
const mergeKeys = new Map([["dynamicModules", "name"]]);

let validator: ContentValidator | undefined;

/** Each EnvoyProxy has been validated by itself; two that are merged may contradict one another. */
function findInvalid(spec: EnvoyProxySpec): ProxyFinding[] {
  validator ??= compileDefinition(envoyProxyDefinition);
  return validator({ spec }).problems.map(({ path, message }) => ({
    field: formatPath(path),
    text: `is invalid once merged with the less specific EnvoyProxy: ${message}`,
  }));
}
