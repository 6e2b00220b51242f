import type { HTTPRouteFilter, RouteKind } from "../api/gateway-api.ts";
import type { ObjectKey } from "../base/keys.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import type { ResolvedRoute, ResolvedRule } from "./model.ts";
import { type BackendReference, type FoundBackend, findBackend, type ReferenceFault } from "./resolve-backend.ts";
import type { ResolveReader } from "./resolve-reader.ts";
import type { findFilterFault } from "./rule-filters.ts";
import type { TlsTarget } from "./tls-targets.ts";

/** A rule of either kind of route, as far as references are concerned; gRPC filters are a subset of HTTP's. */
export interface RuleInput {
  readonly matches?: Parameters<typeof findFilterFault>[1];
  readonly filters?: readonly HTTPRouteFilter[];
  readonly backendRefs?: readonly (BackendReference & {
    readonly weight?: number;
    readonly filters?: readonly HTTPRouteFilter[];
  })[];
}

/** What is found out about one route while its rules are resolved. */
export interface RouteContext {
  readonly routeKind: RouteKind;
  readonly namespace: string;
  readonly read: ResolveReader;
  readonly problems: Problem[];
  /** Objects referred to that BackendTLSPolicies target. */
  readonly tlsTargets: Set<TlsTarget>;
  /** What keeps rules from doing what they say, in the order in which it was found; a rule may have several. */
  readonly invalid: InvalidRule[];
}

interface InvalidRule {
  readonly index: number;
  readonly reason: string;
  readonly field: string;
  /** Completes a sentence that begins with the field. */
  readonly text: string;
}

export function startContext(
  routeKind: RouteContext["routeKind"],
  namespace: string,
  read: ResolveReader,
): RouteContext {
  return { routeKind, namespace, read, problems: [], tlsTargets: new Set(), invalid: [] };
}

/** What a route's rules come to, and what was found out on the way. */
export function finishContext(context: RouteContext, key: ObjectKey, rules: readonly ResolvedRule[]): ResolvedRoute {
  const { routeKind, problems, tlsTargets } = context;
  return { routeKind, key, rules, problems, ...(tlsTargets.size > 0 && { tlsTargets: [...tlsTargets].sort() }) };
}

/** Reports a reference that leads nowhere. */
export function reportReference(context: RouteContext, reason: string, field: string, text: string): void {
  context.problems.push(problemAt("ResolvedRefs", reason, field, text));
}

/** Follows a reference to a backend, and reports it when it leads nowhere. */
export function followBackend(
  context: RouteContext,
  reference: BackendReference,
  field: string,
): FoundBackend | undefined {
  const found = findBackend(context.routeKind, context.namespace, reference, context.read);
  if (found.tlsTarget !== undefined) context.tlsTargets.add(found.tlsTarget);
  if (!("reason" in found)) return found;
  const { reason, message } = found satisfies ReferenceFault;
  reportReference(context, reason, field, message);
  return undefined;
}
