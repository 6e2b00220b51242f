import { ANY_HOST } from "../attach/hostname.ts";
import type { FleetKey } from "../base/keys.ts";
import { flatText } from "../base/memory.ts";
import type { Collection, Graph, Index } from "../dataflow/graph.ts";
import { bucketName, bucketOf, HOST_BUCKETS, isInEveryBucket } from "../translate/host-buckets.ts";
import { misdirectedVirtualHost, refuseHosts } from "../translate/misdirected-host.ts";
import type { RouteEntry } from "../translate/route-order.ts";
import { translateScope } from "../translate/route-scope.ts";
import { translateRouteTable } from "../translate/route-table.ts";
import { type EncodedVirtualHost, type RouteOverlap, translateVirtualHost } from "../translate/virtual-host.ts";
import { type FleetResource, sameFleetResource } from "./gateways.ts";
import type { ListenerNodes, ServedListener } from "./listeners.ts";
import type { HostEntries } from "./routes.ts";
import { chooseShape, type TableShape } from "./table-shape.ts";

/** A route table to be: its hosts join by name. */
interface RouteTable {
  readonly fleet: FleetKey;
  /** Hostnames of the listeners that share it: each answers for itself, with 404 when nothing is attached. */
  readonly hostnames: readonly string[];
}

/** A RouteConfiguration to be: a whole table, or one bucket of it. */
interface TablePart extends RouteTable {
  readonly table: string;
  readonly bucket?: number;
}

/** A RouteConfiguration. */
export interface TableResource extends FleetResource {
  readonly table: string;
}

/** An overlap and the virtual host in which it is. */
export interface HostOverlap extends RouteOverlap {
  readonly table: string;
  readonly host: string;
}

export interface TableNodes {
  /** Group: route key. Routes that match exactly what another route on the same host matches. */
  readonly overlapsByRoute: Index<HostOverlap>;
  /** Key: route table; none: it is one RouteConfiguration. */
  readonly tableShapes: Collection<TableShape>;
  /** RouteConfigurations by name: of a table, or of its buckets. */
  readonly routeConfigurations: Collection<TableResource>;
  /** Scopes by name, of tables in buckets. */
  readonly routeScopes: Collection<FleetResource>;
}

interface HostNodes extends Pick<TableNodes, "tableShapes"> {
  readonly virtualHosts: Collection<EncodedVirtualHost>;
  readonly hostsByTable: Index<EncodedVirtualHost>;
}

const sameHost = (a: EncodedVirtualHost, b: EncodedVirtualHost) => a.hash === b.hash;

/** Route tables: entries join to virtual hosts, and these to tables, large ones in buckets. */
export function createTableNodes(
  graph: Graph,
  listeners: ListenerNodes,
  servedEntries: Collection<HostEntries>,
): TableNodes {
  const virtualHosts = createVirtualHosts(graph, servedEntries);
  const overlaps = graph.flatMap("routeOverlaps", virtualHosts, (host, key) =>
    host.overlaps.map((overlap): [string, HostOverlap] => [
      `${key}|${overlap.a}|${overlap.b}|${overlap.matchKey}`,
      { table: host.table, host: host.host, ...overlap },
    ]),
  );
  const overlapsByRoute = graph.index("overlapsByRoute", overlaps, (overlap) => [overlap.a, overlap.b]);
  // Of the whole table, and of the bucket that each would be in.
  const hostsByTable = graph.index("hostsByTable", virtualHosts, ({ table, host }) => [table, placeOf(table, host)]);
  const listenersByTable = graph.index(
    "listenersByTable",
    listeners.served,
    ({ listener: { routeTable } }) => routeTable ?? [],
  );
  const routeTables = graph.reduce("routeTables", listenersByTable, joinTable);
  const tableShapes = graph.reduce(
    "tableShapes",
    listenersByTable,
    (table, _listeners, read, before: TableShape | undefined) => {
      const wildcards = read.lookup(hostsByTable, bucketName(table, ANY_HOST)).values();
      return chooseShape(read.lookup(hostsByTable, table).size, wildcards, before);
    },
  );
  const parts = graph.flatMap(
    "tableParts",
    routeTables,
    (joined, table, read): Iterable<readonly [string, TablePart]> =>
      read.get(tableShapes, table) === undefined ? [[table, { ...joined, table }]] : divide(joined, table),
  );
  const hosts = { virtualHosts, hostsByTable, tableShapes };
  const routeConfigurations = createRouteConfigurations(graph, listeners, parts, hosts);
  const routeScopes = graph.map(
    "routeScopes",
    parts,
    ({ fleet, bucket }, name) => (bucket === undefined ? undefined : { fleet, resource: translateScope(name) }),
    { equals: sameFleetResource },
  );
  return { overlapsByRoute, tableShapes, routeConfigurations, routeScopes };
}

function createRouteConfigurations(
  graph: Graph,
  listeners: ListenerNodes,
  parts: Collection<TablePart>,
  { virtualHosts, hostsByTable, tableShapes }: HostNodes,
): Collection<TableResource> {
  const misdirected = graph.flatMap(
    "misdirectedVirtualHosts",
    listeners.misdirected,
    (elsewhere, table, read) =>
      read.get(tableShapes, table) === undefined
        ? [[table, misdirectedVirtualHost(table, elsewhere)] as const]
        : [...divideHosts(elsewhere)].flatMap(([bucket, hosts]) =>
            hosts.length === 0 ? [] : [[bucketName(table, bucket), misdirectedVirtualHost(table, hosts)] as const],
          ),
    { equals: sameHost },
  );
  return graph.map(
    "routeConfigurations",
    parts,
    ({ fleet, table, bucket, hostnames }, name, read): TableResource => {
      const isBucket = bucket !== undefined;
      const places = isBucket ? [name, bucketName(table, ANY_HOST)] : [table];
      const found = places.flatMap((place) => [...read.lookup(hostsByTable, place).values()]);
      const allShut = read.get(listeners.shutHosts, table);
      const shut = isBucket ? allShut?.filter((host) => isInEveryBucket(host) || bucketOf(host) === bucket) : allShut;
      const hosts = shut === undefined || shut.length === 0 ? found : refuseHosts(table, found, shut, hostnames);
      const empty = hostnames.filter(
        (hostname) => !shut?.includes(hostname) && read.get(virtualHosts, `${table}|${hostname}`) === undefined,
      );
      const elsewhere = read.get(misdirected, name);
      const http3Port = read.get(listeners.http3.alternatives, table);
      const all = elsewhere ? [...hosts, elsewhere] : hosts;
      return { fleet, table, resource: translateRouteTable(name, all, empty, { isBucket, http3Port }) };
    },
    { equals: sameFleetResource, isPatient: true },
  );
}

function createVirtualHosts(graph: Graph, servedEntries: Collection<HostEntries>): Collection<EncodedVirtualHost> {
  const entriesByHost = graph.index("entriesByHost", servedEntries, (entries) => [
    flatText(entries.table, "|", entries.host),
  ]);
  return graph.reduce(
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
    { equals: sameHost },
  );
}

function joinTable(_name: string, listeners: ReadonlyMap<string, ServedListener>): RouteTable | undefined {
  const [first] = listeners.values();
  const hostnames = new Set([...listeners.values()].map(({ listener }) => listener.hostname ?? ANY_HOST));
  return first && { fleet: first.fleet, hostnames: [...hostnames].sort() };
}

function placeOf(table: string, host: string): string {
  return bucketName(table, isInEveryBucket(host) ? ANY_HOST : bucketOf(host));
}

function* divide({ fleet, hostnames }: RouteTable, table: string): Generator<readonly [string, TablePart]> {
  for (const [bucket, own] of divideHosts(hostnames)) {
    yield [bucketName(table, bucket), { fleet, table, bucket, hostnames: own }];
  }
}

/** Every bucket with its hosts. O(hosts + wildcards × buckets). */
function divideHosts(hosts: readonly string[]): Map<number, string[]> {
  const wildcards = hosts.filter(isInEveryBucket);
  const buckets = new Map(Array.from({ length: HOST_BUCKETS }, (_, bucket) => [bucket, [...wildcards]]));
  for (const host of hosts) if (!isInEveryBucket(host)) buckets.get(bucketOf(host))?.push(host);
  return buckets;
}
