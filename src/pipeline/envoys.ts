import { compareStrings, type FleetKey } from "../base/keys.ts";
import { type Acknowledgement, type ResourceType, resourceTypes } from "../envoy/resource.ts";
import { acknowledgementKey, type Sources } from "./sources.ts";

/** What one Envoy has, and did not take, of one resource. */
export interface EnvoyAnswer {
  readonly type: ResourceType;
  readonly name: string;
  /** Version that it took last; told of Listeners only. */
  readonly accepted?: string;
  /** What it refused since. */
  readonly refusal?: Refusal;
}

export interface Refusal {
  readonly version: string;
  /** In Envoy's words. */
  readonly error: string;
  /** It is offered again until it is taken. */
  readonly retried?: boolean;
}

/** One Envoy as the replica that serves it knows it. */
export interface EnvoyState {
  readonly gateway: FleetKey;
  /** Id of its node. */
  readonly node: string;
  readonly answers: readonly EnvoyAnswer[];
}

/** The replica that this process is; others have names. */
export const OWN = "";

/**
 * Which Envoys are connected, to this replica or to another, and what each said of what it was sent: the sources `connections`
 * and `acknowledgements`. An Envoy has one home, the replica that it connected to last.
 */
export interface Envoys {
  /** An Envoy opened its first stream to this replica. */
  connected(gateway: FleetKey, node: string): void;
  /** It has said which Listeners it has: what it said of them before it connected is past. */
  listenersStated(gateway: FleetKey, node: string): void;
  /** Its last stream ended. It counts as connected for a while: most come back at once, here or elsewhere. */
  left(gateway: FleetKey, node: string): void;
  answered(answer: Acknowledgement): void;
  /** Another replica says what an Envoy of its own has now. */
  told(replica: string, state: EnvoyState): void;
  /** Another replica says that an Envoy left it. */
  toldLeft(replica: string, gateway: FleetKey, node: string): void;
  /** The Envoys of another replica as far as this one was told. */
  of(replica: string): readonly Pick<EnvoyState, "gateway" | "node">[];
  /** What this replica tells the others; undefined: the Envoy is not connected to it. */
  own(gateway: FleetKey, node: string): EnvoyState | undefined;
  /** Stops the clocks of those that left. */
  stop(): void;
}

export interface EnvoysOptions {
  /** How long an Envoy without a stream counts as connected. 0: not at all. */
  readonly graceMilliseconds: number;
  /** Something was staged. */
  readonly onStaged: () => void;
  /** {@link Envoys.own} reads differently for this Envoy. */
  readonly onOwnChanged: (gateway: FleetKey, node: string) => void;
}

/** More answers of one Envoy push out the oldest: resources come and go, Envoys stay for months. */
const ANSWERS_MAX = 4096;

interface Envoy {
  readonly gateway: FleetKey;
  readonly node: string;
  home: string;
  connected: boolean;
  /** By {@link acknowledgementKey}, oldest first. */
  readonly answers: Map<string, Known>;
  /** Goes up with each connection. */
  epoch: number;
  timer: NodeJS.Timeout | undefined;
}

/** An answer, and during which connection it was given. */
type Known = EnvoyAnswer & { readonly epoch: number };

export function createEnvoys(sources: Sources, options: EnvoysOptions): Envoys {
  const gateways = new Map<FleetKey, Map<string, Envoy>>();
  const find = (gateway: FleetKey, node: string) => gateways.get(gateway)?.get(node);

  function enter(gateway: FleetKey, node: string, home: string): Envoy {
    const envoys = gateways.get(gateway) ?? new Map<string, Envoy>();
    gateways.set(gateway, envoys);
    const envoy = envoys.get(node) ?? create(gateway, node, home);
    if (!envoys.has(node)) {
      envoys.set(node, envoy);
      stageCount(gateway);
    }
    clearTimeout(envoy.timer);
    envoy.home = home;
    envoy.connected = true;
    envoy.epoch++;
    return envoy;
  }

  function stageCount(gateway: FleetKey): void {
    const envoys = [...(gateways.get(gateway)?.values() ?? [])];
    if (envoys.length === 0) sources.connections.delete(gateway);
    else sources.connections.set(gateway, { connected: envoys.length, answering: envoys.filter(isAnswering).length });
    options.onStaged();
  }

  function stageAnswers(gateway: FleetKey, key: string): void {
    const envoys = [...(gateways.get(gateway)?.values() ?? [])];
    const answers = envoys
      .filter((envoy) => envoy.answers.has(key))
      .sort((a, b) => compareStrings(a.node, b.node))
      .map((envoy) => describe(envoy.answers.get(key)!));
    if (answers.length === 0) sources.acknowledgements.delete(key);
    else sources.acknowledgements.set(key, answers);
    options.onStaged();
  }

  function set(envoy: Envoy, key: string, answer: EnvoyAnswer | undefined): boolean {
    const { answers, gateway, epoch } = envoy;
    const answeredBefore = isAnswering(envoy);
    if (!answers.delete(key) && answer === undefined) return false;
    if (answer !== undefined) answers.set(key, { ...answer, epoch });
    stageAnswers(gateway, key);
    if (isAnswering(envoy) !== answeredBefore) stageCount(gateway);
    const oldest = answers.size > ANSWERS_MAX ? answers.keys().next().value : undefined;
    if (oldest !== undefined) set(envoy, oldest, undefined);
    return true;
  }

  /** Forgets what an Envoy said before its present connection. */
  function dropPast(envoy: Envoy, isMeant: (answer: EnvoyAnswer) => boolean): void {
    for (const [key, answer] of envoy.answers) {
      if (answer.epoch !== envoy.epoch && isMeant(answer)) set(envoy, key, undefined);
    }
    if (envoy.home === OWN) options.onOwnChanged(envoy.gateway, envoy.node);
  }

  function leave(envoy: Envoy): void {
    const { gateway, node, home } = envoy;
    envoy.connected = false;
    clearTimeout(envoy.timer);
    if (options.graceMilliseconds === 0) remove(envoy);
    else envoy.timer = setTimeout(remove, options.graceMilliseconds, envoy).unref();
    if (home === OWN) options.onOwnChanged(gateway, node);
  }

  function remove(envoy: Envoy): void {
    const envoys = gateways.get(envoy.gateway);
    envoys?.delete(envoy.node);
    if (envoys?.size === 0) gateways.delete(envoy.gateway);
    stageCount(envoy.gateway);
    for (const key of envoy.answers.keys()) stageAnswers(envoy.gateway, key);
  }

  return {
    connected(gateway, node) {
      const envoy = enter(gateway, node, OWN);
      // What it refused of other types it says again as it is sent the rest, or never.
      if (options.graceMilliseconds === 0) dropPast(envoy, () => true);
      else envoy.timer = setTimeout(dropPast, options.graceMilliseconds, envoy, () => true).unref();
      options.onOwnChanged(gateway, node);
    },
    listenersStated(gateway, node) {
      const envoy = find(gateway, node);
      if (envoy?.home === OWN) dropPast(envoy, ({ type }) => type === resourceTypes.listener);
    },
    left(gateway, node) {
      const envoy = find(gateway, node);
      if (envoy?.home === OWN && envoy.connected) leave(envoy);
    },
    answered(acknowledgement) {
      const { gateway, node, type, name } = acknowledgement;
      const envoy = find(gateway, node);
      if (envoy === undefined || envoy.home !== OWN) return;
      const key = acknowledgementKey(gateway, type, name);
      if (set(envoy, key, follow(envoy.answers.get(key), acknowledgement))) options.onOwnChanged(gateway, node);
    },
    told(replica, { gateway, node, answers }) {
      const before = find(gateway, node);
      // A replica may not know yet that an Envoy has gone elsewhere.
      if (before?.home === OWN && before.connected) return;
      const envoy = enter(gateway, node, replica);
      for (const answer of answers) set(envoy, acknowledgementKey(gateway, answer.type, answer.name), answer);
      dropPast(envoy, () => true);
    },
    toldLeft(replica, gateway, node) {
      const envoy = find(gateway, node);
      if (envoy?.home === replica && envoy.connected) leave(envoy);
    },
    of: (replica) =>
      [...gateways.values()].flatMap((envoys) => [...envoys.values()].filter(({ home }) => home === replica)),
    own(gateway, node) {
      const envoy = find(gateway, node);
      if (envoy?.home !== OWN || !envoy.connected) return undefined;
      return { gateway, node, answers: [...envoy.answers.values()].map(describe) };
    },
    stop() {
      for (const envoys of gateways.values()) for (const { timer } of envoys.values()) clearTimeout(timer);
    },
  };
}

function create(gateway: FleetKey, node: string, home: string): Envoy {
  return { gateway, node, home, connected: true, answers: new Map(), epoch: 0, timer: undefined };
}

/** Answers of other types are kept of refusals only, so hardly ever is more than one looked at. */
function isAnswering({ answers }: Envoy): boolean {
  for (const { type } of answers.values()) if (type === resourceTypes.listener) return true;
  return false;
}

function describe({ epoch: _, ...answer }: Known): EnvoyAnswer {
  return answer;
}

/** What is known after an answer; undefined: nothing worth keeping. */
function follow(
  before: EnvoyAnswer | undefined,
  { type, name, version, accepted, error, retried }: Acknowledgement,
): EnvoyAnswer | undefined {
  if (!accepted) {
    const refusal = { version, error: error ?? "", ...(retried && { retried }) };
    return { type, name, ...(before?.accepted !== undefined && { accepted: before.accepted }), refusal };
  }
  return type === resourceTypes.listener ? { type, name, accepted: version } : undefined;
}

/** The refusal of a version by any Envoy. */
export function findRefusal(
  answers: readonly EnvoyAnswer[] | undefined,
  version: string | undefined,
): Refusal | undefined {
  return answers?.find(({ refusal }) => refusal !== undefined && refusal.version === version)?.refusal;
}
