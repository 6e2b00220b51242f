import { createLane, type Lane } from "./writer-lane.ts";

/**
 * What waits, by how soon somebody looks at it; the first lanes are the most urgent. Edits and creations are apart, since many
 * objects are created at a time and few are edited.
 */
export const lanes = [
  /** A user has just changed the object. */
  { name: "edited", weight: 8 },
  /** GatewayClasses, Gateways, ListenerSets: few, and what everybody looks at first. */
  { name: "gateways", weight: 4 },
  /** A user has just created the object. */
  { name: "created", weight: 4 },
  { name: "routes", weight: 2 },
  /** Policies, Backends. */
  { name: "others", weight: 1 },
] as const;

export type LaneName = (typeof lanes)[number]["name"];

export function moreUrgent(a: LaneName, b: LaneName): LaneName {
  return lanes.find(({ name }) => name === a || name === b)?.name ?? a;
}

export interface Turn {
  readonly key: string;
  readonly lane: LaneName;
  /** When the first of the changes that this turn covers arrived; of the clock that `add` is given. */
  readonly since: number;
}

/**
 * Which status is written next. A key waits once, however often it changes, and is not handed out again while it is out: one write in
 * flight per object, and the newest status wins because it is rendered when the turn comes.
 */
export interface StatusQueue {
  /** The key has something to be written. One that waits in a less urgent lane moves up; in its own lane it becomes the newest. */
  add(key: string, lane: LaneName, now: number): void;
  /** The next turn; its key is out until `done`. */
  take(): Turn | undefined;
  /** The key may be handed out again; what was added meanwhile waits from now on. */
  done(key: string): void;
  /** Gone: neither waits nor comes back. */
  remove(key: string): void;
  /** Nothing waits or comes back any more. Keys that are out stay out until `done`. */
  clear(): void;
  /** Waits or is out. */
  has(key: string): boolean;
  /** Keys that wait, by lane. */
  depths(): Readonly<Record<LaneName, number>>;
  /** Resolves when something waits; false: the signal fired first. */
  filled(signal: AbortSignal): Promise<boolean>;
}

interface RankedLane extends Lane {
  readonly name: LaneName;
  readonly rank: number;
}

interface Waiting {
  readonly lane: RankedLane;
  readonly since: number;
}

/** Lanes share the turns by weight, so that none starves. All operations are O(1) amortised. */
export function createStatusQueue(): StatusQueue {
  const ranked = lanes.map(({ name }, rank): RankedLane => Object.assign(createLane(), { name, rank }));
  const byName = new Map(ranked.map((lane) => [lane.name, lane]));
  const choose = createLaneChoice(ranked);
  const waiting = new Map<string, Waiting>();
  /** Keys that are out, with what was added meanwhile. */
  const out = new Map<string, Waiting | undefined>();
  const sleepers = new Set<() => void>();

  function put(key: string, { lane, since }: Waiting): void {
    waiting.get(key)?.lane.delete(key);
    waiting.set(key, { lane, since });
    lane.add(key);
    const [sleeper] = sleepers;
    sleeper?.();
  }

  return {
    add(key, name, now) {
      const before = out.get(key) ?? waiting.get(key);
      const lane = byName.get(moreUrgent(name, before?.lane.name ?? name)) as RankedLane;
      const merged = { lane, since: before?.since ?? now };
      if (out.has(key)) out.set(key, merged);
      else put(key, merged);
    },
    take() {
      const lane = choose();
      const key = lane?.take();
      if (lane === undefined || key === undefined) return undefined;
      const since = waiting.get(key)?.since ?? 0;
      waiting.delete(key);
      out.set(key, undefined);
      return { key, lane: lane.name, since };
    },
    done(key) {
      const again = out.get(key);
      out.delete(key);
      if (again !== undefined) put(key, again);
    },
    remove(key) {
      waiting.get(key)?.lane.delete(key);
      waiting.delete(key);
      if (out.has(key)) out.set(key, undefined);
    },
    clear() {
      waiting.clear();
      for (const lane of ranked) lane.clear();
      for (const key of out.keys()) out.set(key, undefined);
    },
    has: (key) => waiting.has(key) || out.has(key),
    depths: () => Object.fromEntries(ranked.map((lane) => [lane.name, lane.size])) as Record<LaneName, number>,
    filled: (signal) => (waiting.size > 0 && !signal.aborted ? Promise.resolve(true) : sleep(sleepers, signal)),
  };
}

/** Smooth weighted round robin: every lane that has something earns its weight, the richest pays for the turn. */
function createLaneChoice(ranked: readonly RankedLane[]): () => RankedLane | undefined {
  const credits = ranked.map(() => 0);
  return () => {
    let chosen: RankedLane | undefined;
    let total = 0;
    for (const lane of ranked) {
      if (lane.size === 0) {
        credits[lane.rank] = 0;
        continue;
      }
      const { weight } = lanes[lane.rank] as (typeof lanes)[number];
      total += weight;
      credits[lane.rank]! += weight;
      if (chosen === undefined || credits[lane.rank]! > credits[chosen.rank]!) chosen = lane;
    }
    if (chosen !== undefined) credits[chosen.rank]! -= total;
    return chosen;
  };
}

/** Until woken: true, or until the signal fires: false. */
function sleep(sleepers: Set<() => void>, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const leave = (woken: boolean) => {
      sleepers.delete(wake);
      signal.removeEventListener("abort", abort);
      resolve(woken);
    };
    const wake = () => leave(true);
    const abort = () => leave(false);
    sleepers.add(wake);
    signal.addEventListener("abort", abort, { once: true });
  });
}
