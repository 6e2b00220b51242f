import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import { type OrderedFilter, orderedFilters } from "../api/envoyproxy-envoy.ts";
import type { ProxyFinding } from "./envoy-proxy.ts";

type Moves = NonNullable<EnvoyProxySpec["filterOrder"]>;

/** The names of all HTTP filters in the order in which they stand, after the moves of an EnvoyProxy. */
export function orderFilters(moves: Moves = []): readonly OrderedFilter[] {
  let order: OrderedFilter[] = [...orderedFilters];
  for (const { name, before, after } of moves) {
    const target = before ?? after;
    if (target === undefined || target === name) continue;
    order = order.filter((filter) => filter !== name);
    order.splice(order.indexOf(target) + (before === undefined ? 1 : 0), 0, name);
  }
  return order;
}

/** Moves that contradict one another: each would be undone by a later one, and the result would surprise everybody. */
export function judgeFilterOrder(moves: Moves = []): ProxyFinding[] {
  const followers = new Map<OrderedFilter, OrderedFilter[]>();
  for (const [index, { name, before, after }] of moves.entries()) {
    const [first, second] = before === undefined ? [after, name] : [name, before];
    if (first === undefined || second === undefined) continue;
    if (first === second || reaches(followers, second, first)) {
      const text = `wants ${first} in front of ${second}, and earlier items together want the opposite; remove one of them`;
      return [{ field: `spec.filterOrder[${index}]`, text }];
    }
    followers.set(first, [...(followers.get(first) ?? []), second]);
  }
  return [];
}

function reaches(
  followers: ReadonlyMap<OrderedFilter, readonly OrderedFilter[]>,
  from: OrderedFilter,
  to: OrderedFilter,
) {
  const seen = new Set<OrderedFilter>();
  const open = [from];
  for (let filter = open.pop(); filter !== undefined; filter = open.pop()) {
    if (filter === to) return true;
    if (seen.has(filter)) continue;
    seen.add(filter);
    open.push(...(followers.get(filter) ?? []));
  }
  return false;
}
