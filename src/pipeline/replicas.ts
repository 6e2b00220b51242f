import type { FleetKey } from "../base/keys.ts";
import { resourceTypes } from "../envoy/resource.ts";
import type { EnvoyAnswer, EnvoyState, Envoys } from "./envoys.ts";
import { OWN } from "./envoys.ts";
import type { Quarantine } from "./quarantine.ts";
import type { Verdict } from "./verdicts.ts";

/** What one replica tells the others about what only it can know: its own Envoys. */
export interface ReplicaNews {
  /** Envoys that came or said something new, whole. */
  readonly envoys: readonly EnvoyState[];
  /** Envoys that left. */
  readonly gone: readonly Pick<EnvoyState, "gateway" | "node">[];
  /** Routes that Envoys refused. */
  readonly verdicts: readonly Verdict[];
  /** RouteConfigurations, and the version that all Envoys have that have them from this replica. */
  readonly accepted: readonly { readonly table: string; readonly version: string }[];
}

/** The side of the pipeline that is turned to other replicas. */
export interface Replicas {
  /** Everything, and what follows. The listener is called after each commit that brings news. Returns how to end it. */
  listen(listener: (news: ReplicaNews) => void): { readonly all: ReplicaNews; readonly stop: () => void };
  /** Another replica says something; `complete`: that is all that it knows. */
  told(replica: string, news: ReplicaNews, options: { readonly complete: boolean }): void;
  /** Another replica cannot be heard any more: its Envoys are on their way to others. */
  lost(replica: string): void;
}

/** Collects, over one commit, what there is to tell. */
export interface NewsCollector {
  ofEnvoy(gateway: FleetKey, node: string): void;
  ofQuarantine(news: { readonly key: string } | { readonly table: string }): void;
  committed(): void;
  /** Set by {@link createReplicas}. */
  onCommitted: (dirty: Dirty) => void;
}

interface Dirty {
  readonly envoys: Map<string, Pick<EnvoyState, "gateway" | "node">>;
  readonly verdicts: Set<string>;
  readonly tables: Set<string>;
}

export function createReplicaNews(): NewsCollector {
  let dirty = nothing();
  const collector: NewsCollector = {
    ofEnvoy: (gateway, node) => void dirty.envoys.set(`${gateway} ${node}`, { gateway, node }),
    ofQuarantine(news) {
      if ("key" in news) dirty.verdicts.add(news.key);
      else dirty.tables.add(news.table);
    },
    committed() {
      if (dirty.envoys.size + dirty.verdicts.size + dirty.tables.size === 0) return;
      const told = dirty;
      dirty = nothing();
      collector.onCommitted(told);
    },
    onCommitted() {},
  };
  return collector;
}

function nothing(): Dirty {
  return { envoys: new Map(), verdicts: new Set(), tables: new Set() };
}

export interface ReplicasParts {
  readonly envoys: Envoys;
  readonly quarantine: Quarantine;
  readonly news: NewsCollector;
  /** The published version of a RouteConfiguration. */
  readonly versionOf: (name: string) => string | undefined;
  readonly onStaged: () => void;
}

export function createReplicas({ envoys, quarantine, news, versionOf, onStaged }: ReplicasParts): Replicas {
  const listeners = new Set<(news: ReplicaNews) => void>();

  /** While a culprit is searched for, refusals of tables are no news: soon there is another version. */
  function isNews({ type, name, refusal }: EnvoyAnswer): boolean {
    return type !== resourceTypes.route || refusal?.version === versionOf(name);
  }

  function describe(known: readonly Pick<EnvoyState, "gateway" | "node">[]): Pick<ReplicaNews, "envoys" | "gone"> {
    const states: EnvoyState[] = [];
    const gone: Pick<EnvoyState, "gateway" | "node">[] = [];
    for (const { gateway, node } of known) {
      const state = envoys.own(gateway, node);
      if (state === undefined) gone.push({ gateway, node });
      else states.push({ ...state, answers: state.answers.filter(isNews) });
    }
    return { envoys: states, gone };
  }

  const acceptedVersions = () => [...quarantine.accepted()].map(([table, version]) => ({ table, version }));

  news.onCommitted = (dirty) => {
    if (listeners.size === 0) return;
    const verdicts = [...dirty.verdicts].flatMap((key) => quarantine.verdict(key) ?? []);
    const accepted = dirty.tables.size === 0 ? [] : acceptedVersions().filter(({ table }) => dirty.tables.has(table));
    const told = { ...describe([...dirty.envoys.values()]), verdicts, accepted };
    for (const listener of listeners) listener(told);
  };

  return {
    listen(listener) {
      listeners.add(listener);
      const all = { ...describe(envoys.of(OWN)), verdicts: [...quarantine.verdicts()], accepted: acceptedVersions() };
      return { all: { ...all, gone: [] }, stop: () => void listeners.delete(listener) };
    },
    told(replica, { envoys: states, gone, verdicts, accepted }, { complete }) {
      const past = new Map(complete ? envoys.of(replica).map((each) => [`${each.gateway} ${each.node}`, each]) : []);
      for (const state of states) {
        past.delete(`${state.gateway} ${state.node}`);
        envoys.told(replica, state);
      }
      for (const { gateway, node } of [...gone, ...past.values()]) envoys.toldLeft(replica, gateway, node);
      for (const verdict of verdicts) quarantine.adopt(verdict);
      for (const { table, version } of accepted) quarantine.acceptedElsewhere(table, version);
      onStaged();
    },
    lost(replica) {
      for (const { gateway, node } of envoys.of(replica)) envoys.toldLeft(replica, gateway, node);
    },
  };
}
