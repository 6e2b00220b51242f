import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../base/log.ts";
import type { ApiError } from "./api-error.ts";
import type { KubeClient } from "./client.ts";
import { type Lease, leases, nextLease, sameHold } from "./lease.ts";

/** How leadership is kept; the Lease of Kubernetes' own components works the same way. */
export interface ElectionTiming {
  /** Others take over when they have seen no renewal for so long. */
  readonly leaseMilliseconds: number;
  /** A leader that could not renew for so long stops leading. Less than the lease: it has stopped before another begins. */
  readonly renewDeadlineMilliseconds: number;
  /** Between two attempts to get or renew the lease. */
  readonly retryMilliseconds: number;
}

export const DEFAULT_ELECTION_TIMING: ElectionTiming = {
  leaseMilliseconds: 15_000,
  renewDeadlineMilliseconds: 10_000,
  retryMilliseconds: 2_000,
};

/** The right to write, from an election until it is lost. */
export interface Leadership {
  /**
   * Whether it may be used at this moment. Ask before each write: after a stall of this process a timer that should have ended
   * the leadership may not have run yet.
   */
  holds(): boolean;
  /** Fires when it is lost; give it to every call that writes. */
  readonly signal: AbortSignal;
}

export interface ElectionOptions {
  readonly client: Pick<KubeClient, "get" | "create" | "replace">;
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Differs between all candidates and all their lives: a pod's name and something random. */
  readonly identity: string;
  readonly timing?: ElectionTiming;
  readonly log: Logger;
  readonly clock?: ElectionClock;
  onElected(leadership: Leadership): void;
  /** Leadership is over. On a clean stop the lease is released when this resolves, so resolve when no write is under way. */
  onLost(): void | Promise<void>;
}

/** Two clocks in milliseconds: one that no administrator sets back, and the time of day, which goes on while a machine sleeps. */
export interface ElectionClock {
  monotonic(): number;
  wall(): number;
}

export interface Election {
  readonly leading: boolean;
  /** Identity of the leader as last seen; undefined: nobody, or not known yet. */
  readonly leader: string | undefined;
  /** Stops leading, waits for `onLost`, and releases the lease, so that another takes over at once. */
  stop(): Promise<void>;
}

/** A moment by both clocks. */
interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

/** A term of leadership: what is known of it here. */
interface Term {
  readonly controller: AbortController;
  /** When the last successful renewal was *sent*: the server, and so everybody else, cannot have seen it before. */
  renewed: Moment;
}

interface Race {
  readonly options: ElectionOptions;
  readonly timing: ElectionTiming;
  readonly clock: ElectionClock;
  readonly stopping: AbortController;
  /** The lease as last seen, and since when it has been so, by our monotonic clock. */
  seen: { readonly lease: Lease; readonly since: number } | undefined;
  /** The server has no such lease, or not any more. */
  missing: boolean;
  term: Term | undefined;
  timer: NodeJS.Timeout | undefined;
  /** What is done at the end of the last term. */
  ending: Promise<void>;
}

/**
 * Takes part in the election of one leader among processes.
 *
 * No clock of another machine is believed: whether a leader is alive is judged by whether its lease changes while we look. A
 * leader measures its own term by whichever of its clocks went further, so that a machine that was put to sleep does not wake up
 * believing that it leads.
 */
export function startElection(options: ElectionOptions): Election {
  const race: Race = {
    options,
    timing: options.timing ?? DEFAULT_ELECTION_TIMING,
    clock: options.clock ?? { monotonic: () => performance.now(), wall: () => Date.now() },
    stopping: new AbortController(),
    seen: undefined,
    missing: false,
    term: undefined,
    timer: undefined,
    ending: Promise.resolve(),
  };
  const running = run(race);
  return {
    get leading() {
      return race.term !== undefined && remaining(race, race.term) > 0;
    },
    get leader() {
      return race.seen?.lease.spec?.holderIdentity || undefined;
    },
    async stop() {
      race.stopping.abort();
      await running;
      const led = race.term !== undefined;
      end(race, "it stops");
      await race.ending;
      if (led) await release(race);
    },
  };
}

const RETRY_JITTER = 0.2;

async function run(race: Race): Promise<void> {
  const { signal } = race.stopping;
  while (!signal.aborted) {
    try {
      await attempt(race);
    } catch (error) {
      race.options.log.error("an attempt to lead failed; this is a bug in Gatehouse", { error });
    }
    const wait = race.timing.retryMilliseconds * (1 + Math.random() * RETRY_JITTER);
    await delay(wait, undefined, { signal }).catch(() => {});
  }
}

/** One attempt to get or keep the lease. */
async function attempt(race: Race): Promise<void> {
  const { term, stopping } = race;
  // A leader knows the lease, because nobody else writes it; a candidate has to look.
  if (term === undefined && !(await look(race))) return;
  // The last term must be over in full before the next begins.
  if (race.term === undefined) await race.ending;
  if (stopping.signal.aborted || !isFree(race)) return;
  const sent = { monotonic: race.clock.monotonic(), wall: race.clock.wall() };
  const { client } = race.options;
  const before = race.missing ? undefined : race.seen?.lease;
  const lease = nextLease({ ...race.options, ...race.timing }, before, race.clock.wall());
  const written =
    before === undefined
      ? await client.create(leases, lease, call(race))
      : await client.replace(leases, lease, call(race));
  if (!written.ok) {
    report(race, written.error);
    // Somebody else wrote it, or it is gone, or nobody knows whether our write took place.
    if (term !== undefined && (await look(race))) checkHolder(race);
    return;
  }
  observe(race, written.value);
  if (stopping.signal.aborted || race.term !== term) return;
  if (term === undefined) begin(race, sent);
  else {
    term.renewed = sent;
    watchTerm(race, term);
  }
}

/** Reads the lease; false when the server does not say. */
async function look(race: Race): Promise<boolean> {
  const { client, namespace, name } = race.options;
  const found = await client.get<Lease>(leases, { namespace, name }, call(race));
  if (found.ok) observe(race, found.value);
  else if (found.error.reason === "NotFound") race.missing = true;
  else report(race, found.error);
  return found.ok || race.missing;
}

function checkHolder(race: Race): void {
  const holder = race.seen?.lease.spec?.holderIdentity;
  if (!race.missing && holder !== race.options.identity) end(race, `${holder || "nobody"} holds the lease`);
}

function observe(race: Race, lease: Lease): void {
  const { seen, clock } = race;
  race.missing = false;
  race.seen = { lease, since: seen && sameHold(seen.lease, lease) ? seen.since : clock.monotonic() };
}

/**
 * Whether the lease may be taken. One that was deleted is not free before the term that it stood for is over: its leader does
 * not know yet.
 */
function isFree({ seen, clock, options }: Race): boolean {
  const { holderIdentity, leaseDurationSeconds } = seen?.lease.spec ?? {};
  if (seen === undefined || !holderIdentity || holderIdentity === options.identity) return true;
  return clock.monotonic() - seen.since >= (leaseDurationSeconds ?? 0) * 1000;
}

function remaining({ clock, timing }: Race, { renewed }: Term): number {
  const passed = Math.max(clock.monotonic() - renewed.monotonic, clock.wall() - renewed.wall);
  return timing.renewDeadlineMilliseconds - passed;
}

function begin(race: Race, renewed: Moment): void {
  const { namespace, name, identity, log, onElected } = race.options;
  const term: Term = { controller: new AbortController(), renewed };
  race.term = term;
  log.info("this process leads", { lease: `${namespace}/${name}`, identity });
  watchTerm(race, term);
  onElected({ holds: () => race.term === term && remaining(race, term) > 0, signal: term.controller.signal });
}

/** Ends a term on time, whatever else goes on. */
function watchTerm(race: Race, term: Term): void {
  clearTimeout(race.timer);
  const check = () => {
    if (race.term !== term) return;
    if (remaining(race, term) <= 0) end(race, "it could not be renewed in time");
    else watchTerm(race, term);
  };
  // Not one long timer: the clocks may differ by the time it runs.
  race.timer = setTimeout(check, Math.max(0, Math.min(remaining(race, term), race.timing.retryMilliseconds)));
}

function end(race: Race, why: string): void {
  const { term, options } = race;
  if (term === undefined) return;
  race.term = undefined;
  clearTimeout(race.timer);
  options.log.warn("this process leads no more", { lease: `${options.namespace}/${options.name}`, why });
  term.controller.abort();
  race.ending = (async () => options.onLost())().catch((error: unknown) => {
    options.log.error("the end of a leadership failed; this is a bug in Gatehouse", { error });
  });
}

/** An empty holder tells the others not to wait. What fails here only makes them wait. */
async function release(race: Race): Promise<void> {
  const { client, namespace, name, identity } = race.options;
  for (let attempts = 0; attempts < RELEASE_ATTEMPTS_MAX; attempts++) {
    const lease = race.seen?.lease;
    if (lease?.spec?.holderIdentity !== identity) return;
    const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 };
    const options = { urgent: true, timeoutMilliseconds: RELEASE_TIMEOUT_MS };
    const written = await client.replace(leases, { ...lease, spec }, options);
    if (written.ok || written.error.reason !== "Conflict") return;
    // A renewal that was cut off has taken place.
    const found = await client.get<Lease>(leases, { namespace, name }, options);
    if (found.ok) observe(race, found.value);
  }
}

const RELEASE_ATTEMPTS_MAX = 2;
const RELEASE_TIMEOUT_MS = 3000;

/** Several attempts have to fit before the deadline. */
function call({ timing, stopping }: Race) {
  const timeoutMilliseconds = Math.ceil(timing.renewDeadlineMilliseconds / 3);
  return { urgent: true, timeoutMilliseconds, signal: stopping.signal };
}

function report({ options: { log } }: Race, error: ApiError): void {
  if (error.reason !== "Aborted") log.debug("the lease could not be read or written", { error: error.message });
}
