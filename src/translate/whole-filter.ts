import { type Any, pack } from "../envoy/any.ts";
import {
  ExtensionWithMatcher,
  ExtensionWithMatcherPerRoute,
} from "../envoy/generated/envoy/extensions/common/matching/v3/extension_matcher.ts";
import {
  Composite,
  ExecuteFilterAction,
} from "../envoy/generated/envoy/extensions/filters/http/composite/v3/composite.ts";
import type { HttpFilter } from "../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";

/**
 * Some filters can be configured in the listener only, all of them or in part. In their place stands a composite filter under their
 * name, which runs whatever filter a route's configuration holds: so a route changes all of it, and no Listener.
 */
export function placeFor(name: string): HttpFilter {
  return {
    name,
    typedConfig: pack(ExtensionWithMatcher, {
      extensionConfig: { name: "envoy.filters.http.composite", typedConfig: pack(Composite, {}) },
      xdsMatcher: {},
    }),
    disabled: true,
  };
}

/** What a route says in its `typedPerFilterConfig` under the name of such a place. */
export function runFilter(name: string, typedConfig: Any): Any {
  return runFilters(name, [typedConfig]);
}

/** The same with several filters, one after the other. */
export function runFilters(name: string, typedConfigs: readonly Any[]): Any {
  const filters = typedConfigs.map((typedConfig) => ({ name, typedConfig }));
  const [first, ...others] = filters;
  const execute: ExecuteFilterAction =
    others.length === 0 ? { typedConfig: first } : { filterChain: { typedConfig: filters } };
  const action = { name, typedConfig: pack(ExecuteFilterAction, execute) };
  return pack(ExtensionWithMatcherPerRoute, { xdsMatcher: { onNoMatch: { action } } });
}
