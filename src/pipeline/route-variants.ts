import type { Route } from "../api/gateway-api.ts";
import { adaptRoute, type RuleTraffic } from "../attach/adapt-route.ts";
import type { AttachedListener, ParentAttachment, ResolvedRoute, RouteAttachment } from "../attach/model.ts";
import type { RoutingSettings } from "../attach/routing-settings.ts";
import { passTlsThrough } from "../attach/stream-backends.ts";
import type { Reader } from "../dataflow/graph.ts";
import { readTraffic, type TrafficNodes } from "./route-traffic.ts";

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
  readonly routing: RoutingSettings | undefined;
  readonly traffic: RuleTraffic | undefined;
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
  nodes: TrafficNodes,
  key: string,
  object: () => Route | undefined,
  attachment: RouteAttachment,
  resolved: ResolvedRoute,
  read: Reader,
): readonly RouteVariant[] {
  const settings: Setting[] = [];
  for (const parent of attachment.parents) {
    const { routing, listeners } = parent;
    for (const listener of listeners.length === 0 ? [undefined] : listeners) {
      const traffic = listener && readTraffic(nodes, key, object, attachment, listener, read);
      const place = { parent, ...(listener && { listener }) };
      const known = settings.find((each) => each.routing === routing && isSame(each.traffic, traffic));
      if (known === undefined) settings.push({ routing, traffic, places: [place] });
      else known.places.push(place);
    }
  }
  return settings.flatMap(({ routing, traffic, places }) =>
    divideByTls(adaptRoute(resolved, routing, object, traffic), places),
  );
}

function divideByTls(resolved: ResolvedRoute, places: readonly RoutePlace[]): readonly RouteVariant[] {
  const passing = places.filter(({ listener }) => listener?.streams?.passesTls);
  const passed = passing.length === 0 ? resolved : passTlsThrough(resolved);
  if (passed === resolved) return [{ resolved, places }];
  const others = places.filter((place) => !passing.includes(place));
  return [...(others.length === 0 ? [] : [{ resolved, places: others }]), { resolved: passed, places: passing }];
}

function isSame(a: RuleTraffic | undefined, b: RuleTraffic | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.every((own, index) => own === b[index]);
}
