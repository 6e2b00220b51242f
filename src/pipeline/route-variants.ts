import type { Route } from "../api/gateway-api.ts";
import { adaptRoute, type RulePolicies } from "../attach/adapt-route.ts";
import type { AttachedListener, ParentAttachment, ResolvedRoute, RouteAttachment } from "../attach/model.ts";
import { asPassedThrough } from "../attach/resolve-stream.ts";
import type { RoutingSettings } from "../attach/routing-settings.ts";
import { type Reader, sameData } from "../dataflow/graph.ts";
import { type RoutePolicyNodes, readPolicies } from "./route-policies.ts";

/** A route as it is served at some places: at all others its clusters are other ones. */
export interface RouteVariant {
  readonly resolved: ResolvedRoute;
  readonly places: readonly RoutePlace[];
}

/** A parent that did not take the route has no listener. */
interface RoutePlace {
  readonly parent: ParentAttachment;
  readonly listener?: AttachedListener;
}

/** What makes the same clusters of the same backends. */
interface Setting {
  readonly resolved: ResolvedRoute;
  readonly routing: RoutingSettings | undefined;
  readonly policies: readonly RulePolicies[] | undefined;
  readonly places: RoutePlace[];
}

/**
 * Places with the same settings and policies share a variant; nearly always there is one. Where some listeners pass TLS through and others
 * open it before they speak TLS to the backend, there is one of each. O(listeners × settings).
 *
 * @param key of the route
 * @param object is asked for only when its names matter
 */
export function variantsOf(
  nodes: RoutePolicyNodes,
  key: string,
  object: () => Route | undefined,
  attachment: RouteAttachment,
  resolved: ResolvedRoute,
  read: Reader,
): readonly RouteVariant[] {
  const settings: Setting[] = [];
  const passed = asPassedThrough(resolved);
  for (const parent of attachment.parents) {
    const { routing, listeners } = parent;
    for (const listener of listeners.length === 0 ? [undefined] : listeners) {
      const here = listener?.streams?.passesTls ? passed : resolved;
      const policies = listener && readPolicies(nodes, key, parent, listener, read);
      const place = { parent, ...(listener && { listener }) };
      const known = settings.find(
        (each) => each.resolved === here && each.routing === routing && isSame(each.policies, policies),
      );
      if (known === undefined) settings.push({ resolved: here, routing, policies, places: [place] });
      else known.places.push(place);
    }
  }
  return settings.map(({ resolved: here, routing, policies, places }) => ({
    resolved: adaptRoute(here, routing, object, policies),
    places,
  }));
}

function isSame(a: readonly RulePolicies[] | undefined, b: readonly RulePolicies[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.every(({ traffic, security }, index) => {
    const other = b[index];
    return security === other?.security && (traffic === other?.traffic || sameData(traffic, other?.traffic));
  });
}
