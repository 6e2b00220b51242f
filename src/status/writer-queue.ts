/**
 * Which status is written next. A key is in the queue once, however often it changes, and is not handed out again while it is
 * being written: one write in flight per object, and the newest status wins because it is rendered when the turn comes.
 */

/** What waits, by how soon somebody looks at it. A higher weight is a larger share of the turns while several lanes wait. */
export const lanes = [
  /** A user has just changed the object. */
  { name: "touched", weight: 8 },
  /** GatewayClasses, Gateways, ListenerSets: few, and what everybody looks at first. */
  { name: "gateways", weight: 4 },
  { name: "routes", weight: 2 },
  /** Policies, Backends. */
  { name: "others", weight: 1 },
] as const;

export type LaneName = (typeof lanes)[number]["name"];

export interface Turn {
  readonly key: string;
  readonly lane: LaneName;
  /** When the first of the changes that this turn covers arrived; of the clock that `add` is given. */
  readonly since: number;
}

export interface StatusQueue {
  /** The key has something to be written. One that waits in a less urgent lane moves up; in its own lane it becomes the newest. */
  add(key: string, lane: LaneName, now: number): void;
  /** The next turn; its key is held until `done`. */
  take(): Turn | undefined;
  /** The key may be handed out again; what was added meanwhile waits from now on. */
  done(key: string): void;
  /** Gone: neither waits nor comes back. */
  remove(key: string): void;
  /** Nothing waits or comes back any more. Keys that are out stay out until `done`. */
  clear(): void;
  /** Keys that wait, those not counted that are out. */
  readonly size: number;
  depth(lane: LaneName): number;
  /** Resolves when something waits; false: the signal fired first. */
  filled(signal: AbortSignal): Promise<boolean>;
}

interface Waiting {
  readonly lane: Lane;
  readonly since: number;
  /** Distinguishes the key's valid place from older ones that were left behind. */
  readonly place: number;
}

interface Lane {
  readonly name: LaneName;
  readonly weight: number;
  readonly rank: number;
  /** Places in order of arrival; those before `head` are taken, others may be left behind. */
  places: { readonly key: string; readonly place: number }[];
  head: number;
  waiting: number;
  /** Share of turns that it has saved up. */
  credit: number;
  /** The next turn is for the newest place rather than the oldest. */
  newest: boolean;
}

/** A lane is compacted when it holds so many more places than keys that wait. */
const ABANDONED_MAX = 1024;

/**
 * Lanes share the turns by weight, so none starves. Inside a lane turns go by halves to the newest and to the oldest: behind a
 * backlog of 10,000 a fresh change waits for a few turns, and the backlog still ends in order. All operations are O(1) amortised.
 */
export function createStatusQueue(): StatusQueue {
  const queue: readonly Lane[] = lanes.map(({ name, weight }, rank) => ({
    name,
    weight,
    rank,
    places: [],
    head: 0,
    waiting: 0,
    credit: 0,
    newest: true,
  }));
  const waiting = new Map<string, Waiting>();
  /** Keys that are out, with what was added meanwhile. */
  const out = new Map<string, { readonly lane: LaneName; readonly since: number } | undefined>();
  const sleepers = new Set<() => void>();
  let places = 0;

  const laneOf = (name: LaneName): Lane => queue.find((lane) => lane.name === name) as Lane;

  function put(key: string, lane: Lane, since: number): void {
    const before = waiting.get(key);
    if (before !== undefined) before.lane.waiting--;
    const place = places++;
    waiting.set(key, { lane, since, place });
    lane.places.push({ key, place });
    lane.waiting++;
    compact(lane, waiting);
    // One at a time: whoever wakes up and leaves something behind has been added to again, or takes on.
    const [sleeper] = sleepers;
    sleeper?.();
  }

  function takeFrom(lane: Lane): Turn {
    const newest = lane.newest;
    lane.newest = !newest;
    for (;;) {
      const { key, place } = (newest ? lane.places.pop() : lane.places[lane.head++]) as Lane["places"][number];
      const entry = waiting.get(key);
      if (entry?.place !== place) continue;
      waiting.delete(key);
      lane.waiting--;
      out.set(key, undefined);
      return { key, lane: lane.name, since: entry.since };
    }
  }

  return {
    add(key, name, now) {
      if (out.has(key)) {
        const before = out.get(key);
        const lane = before !== undefined && laneOf(before.lane).rank < laneOf(name).rank ? before.lane : name;
        out.set(key, { lane, since: before?.since ?? now });
        return;
      }
      const before = waiting.get(key);
      const lane = laneOf(name);
      if (before === undefined) put(key, lane, now);
      else put(key, before.lane.rank < lane.rank ? before.lane : lane, before.since);
    },
    take() {
      const lane = chooseLane(queue);
      return lane && takeFrom(lane);
    },
    done(key) {
      const again = out.get(key);
      out.delete(key);
      if (again !== undefined) put(key, laneOf(again.lane), again.since);
    },
    remove(key) {
      const entry = waiting.get(key);
      if (entry !== undefined) entry.lane.waiting--;
      waiting.delete(key);
      if (out.has(key)) out.set(key, undefined);
    },
    clear() {
      waiting.clear();
      for (const key of out.keys()) out.set(key, undefined);
      for (const lane of queue) Object.assign(lane, { places: [], head: 0, waiting: 0, credit: 0 });
    },
    get size() {
      return waiting.size;
    },
    depth: (name) => laneOf(name).waiting,
    filled(signal) {
      if (signal.aborted) return Promise.resolve(false);
      if (waiting.size > 0) return Promise.resolve(true);
      return new Promise((resolve) => {
        const wake = () => leave(true);
        const abort = () => leave(false);
        const leave = (filled: boolean) => {
          sleepers.delete(wake);
          signal.removeEventListener("abort", abort);
          resolve(filled);
        };
        sleepers.add(wake);
        signal.addEventListener("abort", abort, { once: true });
      });
    },
  };
}

/** Smooth weighted round robin: every waiting lane earns its weight, the richest pays for the turn. */
function chooseLane(queue: readonly Lane[]): Lane | undefined {
  let chosen: Lane | undefined;
  let total = 0;
  for (const lane of queue) {
    if (lane.waiting === 0) {
      lane.credit = 0;
      continue;
    }
    lane.credit += lane.weight;
    total += lane.weight;
    if (chosen === undefined || lane.credit > chosen.credit) chosen = lane;
  }
  if (chosen !== undefined) chosen.credit -= total;
  return chosen;
}

/** Frees places that were taken or left behind. */
function compact(lane: Lane, waiting: ReadonlyMap<string, Waiting>): void {
  if (lane.places.length - lane.waiting <= ABANDONED_MAX + lane.waiting) return;
  lane.places = lane.places.filter(({ key, place }, index) => index >= lane.head && waiting.get(key)?.place === place);
  lane.head = 0;
}
