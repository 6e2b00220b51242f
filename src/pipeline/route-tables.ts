import { ANY_HOST } from "../attach/hostname.ts";
import type { FleetKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph } from "../dataflow/graph.ts";
import { misdirectedVirtualHost, refuseHosts } from "../translate/misdirected-host.ts";
import type { RouteEntry } from "../translate/route-order.ts";
import { translateRouteTable } from "../translate/route-table.ts";
import { type EncodedVirtualHost, type RouteOverlap, translateVirtualHost } from "../translate/virtual-host.ts";
import { type FleetResource, sameFleetResource } from "./gateways.ts";
import type { ListenerNodes, ServedListener } from "./listeners.ts";
import type { HostEntries, RouteNodes } from "./routes.ts";

/** A RouteConfiguration to be: its hosts join by name. */
interface RouteTable {
  readonly fleet: FleetKey;
  /** Hostnames of the listeners that share it: each answers for itself, with 404 when nothing is attached. */
  readonly hostnames: readonly string[];
}

/** An overlap and the virtual host in which it is. */
export interface HostOverlap extends RouteOverlap {
  readonly table: string;
  readonly host: string;
}

/** Hosts and the tables that carry them, from what routes put there. */
export function createTables(
  graph: Graph,
  listeners: ListenerNodes,
  servedEntries: Collection<HostEntries>,
): Pick<RouteNodes, "overlapsByRoute" | "routeConfigurations"> {
  const entriesByHost = graph.index("entriesByHost", servedEntries, (entries) => [
    flatText(entries.table, "|", entries.host),
  ]);
  const virtualHosts = graph.reduce(
    "virtualHosts",
    entriesByHost,
    (group, members, _read, before) => {
      const separator = group.lastIndexOf("|");
      const entries: (readonly RouteEntry[])[] = [];
      let counted = false;
      for (const member of members.values()) {
        entries.push(member.entries);
        if (member.counted) counted = true;
      }
      const [table, host] = [group.slice(0, separator), group.slice(separator + 1)];
      return translateVirtualHost(table, host, entries, { counted, before });
    },
    { equals: (a: EncodedVirtualHost, b: EncodedVirtualHost) => a.hash === b.hash },
  );
  const overlaps = graph.flatMap("routeOverlaps", virtualHosts, (host, key) =>
    host.overlaps.map((overlap): [string, HostOverlap] => [
      `${key}|${overlap.a}|${overlap.b}|${overlap.matchKey}`,
      { table: host.table, host: host.host, ...overlap },
    ]),
  );
  const overlapsByRoute = graph.index("overlapsByRoute", overlaps, (overlap) => [overlap.a, overlap.b]);
  const hostsByTable = graph.index("hostsByTable", virtualHosts, (host) => [host.table]);
  const routeTables = graph.reduce(
    "routeTables",
    graph.index("listenersByTable", listeners.served, ({ listener: { routeTable } }) => routeTable ?? []),
    joinTable,
  );
  const misdirected = graph.map(
    "misdirectedVirtualHosts",
    listeners.misdirected,
    (elsewhere, name) => misdirectedVirtualHost(name, elsewhere),
    { equals: (a: EncodedVirtualHost, b: EncodedVirtualHost) => a.hash === b.hash },
  );
  const routeConfigurations = graph.map(
    "routeConfigurations",
    routeTables,
    ({ fleet, hostnames }, name, read): FleetResource => {
      const shut = read.get(listeners.shutHosts, name);
      const found = [...read.lookup(hostsByTable, name).values()];
      const hosts = shut === undefined ? found : refuseHosts(name, found, shut, hostnames);
      const empty = hostnames.filter(
        (hostname) => !shut?.includes(hostname) && read.get(virtualHosts, `${name}|${hostname}`) === undefined,
      );
      const elsewhere = read.get(misdirected, name);
      const all = elsewhere ? [...hosts, elsewhere] : hosts;
      const http3Port = read.get(listeners.http3.alternatives, name);
      return { fleet, resource: translateRouteTable(name, all, empty, http3Port) };
    },
    { equals: sameFleetResource, isPatient: true },
  );
  return { overlapsByRoute, routeConfigurations };
}

function joinTable(_name: string, listeners: ReadonlyMap<string, ServedListener>): RouteTable | undefined {
  const [first] = listeners.values();
  const hostnames = new Set([...listeners.values()].map(({ listener }) => listener.hostname ?? ANY_HOST));
  return first && { fleet: first.fleet, hostnames: [...hostnames].sort() };
}
