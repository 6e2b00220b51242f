import { Graph, type Source } from "../dataflow/graph.ts";
import { Route } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import { type EncodedResource, resourceTypes } from "../envoy/resource.ts";
import { bucketName, bucketOf, HOST_BUCKETS, isInEveryBucket } from "../translate/host-buckets.ts";
import type { RouteEntry } from "../translate/route-order.ts";
import { createQuarantine } from "./quarantine.ts";
import type { HostEntries } from "./routes.ts";
import { createSources } from "./sources.ts";
import { createTableVersions } from "./table-versions.ts";

export const TABLE = "ns/gw/http";
const GATEWAY = "ns/gw";
const bytes = Route.encode({ match: { prefix: "/" } }).finish();

/** One Envoy: which texts it refuses, and after how many rounds it answers a version that it was sent. */
export interface EnvoyKind {
  readonly refuses: string;
  readonly lag: number;
}

/** By key of the entries. */
type Contents = ReadonlyMap<string, string>;

/** A RouteConfiguration as an Envoy has it. */
interface Held {
  accepted: Contents;
  /** Version that it has, sent last, and may not be sent again. */
  version: string;
  sent: { readonly version: string; readonly contents: Contents; readonly round: number } | undefined;
  readonly refused: Set<string>;
}

export interface Envoy extends EnvoyKind {
  readonly node: string;
  /** By name of the RouteConfiguration. */
  readonly held: Map<string, Held>;
  pushes: number;
}

/** Where routes are: default all on one host of a table that is one RouteConfiguration. */
export interface Places {
  readonly inBuckets: boolean;
  host(route: number): string;
}

const oneHost: Places = { inBuckets: false, host: () => "host" };

/**
 * Envoys that refuse a RouteConfiguration as long as any route in it is bad for them, behind the same graph shape as the pipeline's. Like
 * the xDS server it has one push of each under way for each Envoy, sends the newest then, and none that was refused.
 */
export function createWorld(
  kinds: readonly EnvoyKind[] = [{ refuses: "bad", lag: 0 }],
  { inBuckets, host: hostOf }: Places = oneHost,
) {
  const graph = new Graph();
  const sources = createSources(graph, { controllerNames: [], hostInfrastructure: true, privilegedPortOffset: 0 });
  const edits: Source<HostEntries> = graph.source("edits");
  for (const source of [...Object.values(sources), edits]) source.markSynced();
  const served = graph.map("servedEntries", edits, (entries, key, read) => {
    const held = read.get(sources.heldEntries, key);
    return held === undefined ? entries : held.replacement;
  });
  const quarantine = createQuarantine(sources, { current: (key) => edits.get(key) });
  const tables = createTableVersions(quarantine);
  let staged = false;
  graph.subscribe(edits, (changes) => {
    staged = quarantine.edited(changes) || staged;
  });
  graph.subscribe(served, (changes) => quarantine.served(changes));
  const envoys: Envoy[] = [];
  let names = 0;
  let now = 0;
  const published = new Map<string, string>();

  const contents = () => new Map([...served.entries()].map(([key, entries]) => [key, entries.entries[0]!.hash]));
  const versionOf = (table: Contents) => JSON.stringify([...table].sort());

  /** RouteConfigurations by name. */
  function configurations(): Map<string, Contents> {
    if (!inBuckets) return new Map([[TABLE, contents()]]);
    const all = new Map<string, Map<string, string>>();
    for (let bucket = 0; bucket < HOST_BUCKETS; bucket++) all.set(bucketName(TABLE, bucket), new Map());
    for (const [key, text] of contents()) {
      const host = key.split("|")[1]!;
      const places = isInEveryBucket(host) ? [...all.keys()] : [bucketName(TABLE, bucketOf(host))];
      for (const place of places) all.get(place)!.set(key, text);
    }
    return all;
  }

  function connect(kind: EnvoyKind): Envoy {
    const envoy = { ...kind, node: `envoy-${names++}`, held: new Map(), pushes: 0 };
    envoys.push(envoy);
    return envoy;
  }

  function heldBy(envoy: Envoy, name: string): Held {
    const held = envoy.held.get(name) ?? { accepted: new Map(), version: "", sent: undefined, refused: new Set() };
    envoy.held.set(name, held);
    return held;
  }

  function answer(envoy: Envoy, name: string, held: Held): void {
    if (held.sent === undefined || held.sent.round + envoy.lag > now) return;
    const { version, contents: table } = held.sent;
    held.sent = undefined;
    const accepted = ![...table.values()].some((text) => text.startsWith(envoy.refuses));
    if (accepted) Object.assign(held, { accepted: table, version });
    else held.refused.add(version);
    const verdict = accepted ? { accepted } : { accepted, error: `invalid, says ${envoy.node}` };
    const what = { gateway: GATEWAY, node: envoy.node, type: resourceTypes.route, name, version };
    staged = tables.answered({ ...what, ...verdict }) || staged;
  }

  /** One commit and what the Envoys make of it. */
  function step(): void {
    staged = false;
    graph.commit();
    now++;
    const all = configurations();
    const changes = [...all].flatMap(([name, table]) => {
      const version = versionOf(table);
      if (version === published.get(name)) return [];
      published.set(name, version);
      const resource = { type: resourceTypes.route, name, version } as EncodedResource;
      return [[name, { fleet: GATEWAY, table: TABLE, resource }] as const];
    });
    if (changes.length > 0) staged = tables.published(new Map(changes)) || staged;
    staged = quarantine.committed() || staged;
    for (const envoy of envoys) {
      for (const [name, table] of all) {
        const held = heldBy(envoy, name);
        const version = published.get(name)!;
        if (held.sent !== undefined || version === held.version || held.refused.has(version)) continue;
        held.sent = { version, contents: table, round: now };
        envoy.pushes++;
        tables.sent(GATEWAY, envoy.node, name);
      }
    }
    for (const envoy of envoys) for (const [name, held] of envoy.held) answer(envoy, name, held);
  }

  const isWaited = ({ held }: Envoy) => [...held.values()].some(({ sent }) => sent !== undefined);

  /** Goes on until nothing moves. Bounded, since a search must end. */
  function settle(): void {
    // A release that changes nothing shows one commit later.
    for (let round = 0, quiet = 0; quiet < 3; round++) {
      if (round === 2000) throw new Error("the search did not end");
      step();
      quiet = staged || envoys.some(isWaited) ? 0 : quiet + 1;
    }
  }

  const first = connect(kinds[0]!);
  for (const kind of kinds.slice(1)) connect(kind);
  const keyOf = (route: number) => `${TABLE}|${hostOf(route)}|HTTPRoute/ns/${route}`;
  const entriesOf = (route: number, text: string): HostEntries => ({
    table: TABLE,
    host: hostOf(route),
    route: `HTTPRoute/ns/${route}`,
    entries: [{ hash: text, bytes } as RouteEntry],
  });
  const routeOf = ([key, text]: readonly [string, string]) =>
    [Number(key.slice(key.lastIndexOf("/") + 1)), text] as const;
  return {
    quarantine,
    envoy: first,
    envoys,
    settle,
    step,
    connect,
    disconnect(envoy: Envoy) {
      envoys.splice(envoys.indexOf(envoy), 1);
      tables.left(GATEWAY, envoy.node);
    },
    set: (route: number, text: string) => edits.set(keyOf(route), entriesOf(route, text)),
    /** With a SecurityPolicy. */
    guard: (route: number, text: string) => edits.set(keyOf(route), { ...entriesOf(route, text), guarded: true }),
    remove: (route: number) => edits.delete(keyOf(route)),
    rejections: () => [...sources.rejections.entries()].map(([, rejection]) => rejection),
    rejected: () => [...sources.rejections.entries()].map(([, rejection]) => rejection.route).sort(),
    published: () => [...contents()].map(routeOf),
    served: (envoy: Envoy = first) => [...envoy.held.values()].flatMap(({ accepted }) => [...accepted].map(routeOf)),
  };
}
