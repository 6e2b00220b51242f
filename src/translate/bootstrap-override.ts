import { parse } from "yaml";
import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import { isRecord } from "../api/field.ts";
import { XDS_CLUSTER } from "./bootstrap.ts";
import { applyJsonPatch, type PatchOperation } from "./json-patch.ts";

export type BootstrapOverride = NonNullable<EnvoyProxySpec["bootstrap"]>;

/** The changed bootstrap, or why it cannot be used: `text` completes a sentence that begins with the field. */
export type OverrideResult =
  | { readonly bootstrap: Record<string, unknown> }
  | { readonly field: string; readonly text: string };

const FIELD = "spec.bootstrap";

/**
 * Changes a bootstrap as an EnvoyProxy says. How Envoy reaches the control plane is not its to change (Envoy Gateway's rule): it
 * would get no configuration any more, and nobody would learn of it. Nor is where its admin interface listens, for the like reason:
 * it would be ended without being drained; and on a port it would be in reach of requests.
 */
export function overrideBootstrap(base: Record<string, unknown>, override: BootstrapOverride): OverrideResult {
  const changed = override.type === "JSONPatch" ? patch(base, override) : merge(base, override);
  if ("field" in changed) return changed;
  const { bootstrap } = changed;
  const camelCase = findCamelCase(bootstrap);
  if (camelCase !== undefined) {
    return { field: FIELD, text: `writes ${camelCase}; write names of fields with underscores` };
  }
  if (canonical(discovery(bootstrap)) !== canonical(discovery(base))) {
    return {
      field: FIELD,
      text: "changes dynamic_resources by more than initial_fetch_timeout, so Envoy would not find the control plane; leave them as they are",
    };
  }
  if (canonical(xdsEndpoints(bootstrap)) !== canonical(xdsEndpoints(base))) {
    return {
      field: FIELD,
      text: `changes the endpoints of ${XDS_CLUSTER}, so Envoy would not find the control plane; leave them as they are`,
    };
  }
  if (canonical(adminAddress(bootstrap)) !== canonical(adminAddress(base))) {
    return {
      field: FIELD,
      text: `changes admin.address, where Envoy is drained and its metrics are read; leave it ${JSON.stringify(adminAddress(base))}`,
    };
  }
  return changed;
}

function merge(base: Record<string, unknown>, { type, value = "" }: BootstrapOverride): OverrideResult {
  let written: unknown;
  try {
    written = parse(value);
  } catch (error) {
    return { field: `${FIELD}.value`, text: `is no YAML: ${(error as Error).message.split("\n")[0]}` };
  }
  if (!isRecord(written)) return { field: `${FIELD}.value`, text: "must be an object; write a bootstrap of Envoy" };
  return { bootstrap: type === "Merge" ? (mergeMessages(base, written) as Record<string, unknown>) : written };
}

/** As messages of protobuf are merged: fields one by one, lists joined, scalars replaced. */
function mergeMessages(base: unknown, over: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(over)) return [...base, ...over];
  if (!isRecord(base) || !isRecord(over)) return over;
  const result = { ...base };
  for (const [name, value] of Object.entries(over)) result[name] = mergeMessages(base[name], value);
  return result;
}

function patch(base: Record<string, unknown>, { jsonPatches = [] }: BootstrapOverride): OverrideResult {
  const result = applyJsonPatch(base, jsonPatches as readonly PatchOperation[]);
  if ("error" in result) return { field: `${FIELD}.jsonPatches[${result.index}]`, text: `fails: ${result.error}` };
  if (!isRecord(result.value)) return { field: `${FIELD}.jsonPatches`, text: "leave no object; keep the bootstrap" };
  return { bootstrap: result.value };
}

/** Envoy reads both spellings, but a field that stands there twice, once in each, is an error that only Envoy would find. */
function findCamelCase(bootstrap: Record<string, unknown>): string | undefined {
  const parts = [bootstrap, bootstrap["static_resources"], bootstrap["dynamic_resources"]];
  return parts.flatMap((part) => (isRecord(part) ? Object.keys(part) : [])).find((name) => /[A-Z]/.test(name));
}

function discovery(bootstrap: Record<string, unknown>): unknown {
  const resources = bootstrap["dynamic_resources"];
  if (!isRecord(resources)) return resources;
  const withoutTimeout = (source: unknown) => {
    if (!isRecord(source)) return source;
    const { initial_fetch_timeout: _, ...rest } = source;
    return rest;
  };
  return Object.fromEntries(Object.entries(resources).map(([name, source]) => [name, withoutTimeout(source)]));
}

function adminAddress({ admin }: Record<string, unknown>): unknown {
  return isRecord(admin) ? admin["address"] : undefined;
}

function xdsEndpoints(bootstrap: Record<string, unknown>): unknown {
  const resources = bootstrap["static_resources"];
  const clusters = isRecord(resources) ? resources["clusters"] : undefined;
  if (!Array.isArray(clusters)) return undefined;
  const found = clusters.filter((cluster) => isRecord(cluster) && cluster["name"] === XDS_CLUSTER);
  return found.map(({ type, load_assignment }: Record<string, unknown>) => ({ type, load_assignment }));
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isRecord(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
