import type { Logger } from "../base/log.ts";
import { TRUST_CONFIG_MAP } from "../envoy/control-plane.ts";
import type { Answer } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/client.ts";
import { type Authority, type AuthorityPlan, planAuthorities } from "./authorities.ts";
import type { Demand } from "./demand.ts";
import { createHindranceLog } from "./hindrance.ts";
import type { KeyPair } from "./issue.ts";
import type { Issuer } from "./issuer.ts";
import type { Lifetimes } from "./lifetimes.ts";
import {
  type ConfigMapObject,
  configMapType,
  pairOf,
  REPLICA_SECRET,
  SERVER_SECRET,
  TRUST_KEY,
  trustConfigMap,
} from "./objects.ts";
import { type CertificateState, hold } from "./state.ts";

/** What the xDS server of this replica shows and believes, in PEM. */
export interface ServerMaterial {
  readonly certificate: string;
  readonly key: string;
  readonly authorities: string;
  /** What it shows to other replicas. */
  readonly client?: KeyPair;
}

export interface CertificateFigure {
  /** Of the Secret. */
  readonly name: string;
  readonly expiresAtMilliseconds: number;
}

export interface UpkeepOptions {
  readonly client: Pick<KubeClient, "serverSideApply" | "delete">;
  readonly issuer: Issuer;
  readonly state: CertificateState;
  readonly lifetimes: Lifetimes;
  readonly log: Logger;
  /** Something else than before is to be shown or believed. */
  readonly onMaterial: (material: ServerMaterial) => void;
}

/**
 * Keeps certificates as the demand asks. Every replica follows the state and serves with what is there; only the leader writes,
 * and what it writes it bases on the version that it saw, so that a former leader that does not know it yet harms nothing.
 */
export interface Upkeep {
  /** Nothing is written before the first demand: no demand known is not no demand. */
  demand(demand: Demand): void;
  lead(leads: boolean): void;
  /** The state has changed. To be called only once it is complete: before the first call nothing is written. */
  stateChanged(): void;
  figures(): CertificateFigure[];
  /** What certificates wait for, with the way out. */
  hindrance(): string | undefined;
  /** Resolves once nothing is being written any more. */
  close(): Promise<void>;
}

/** Clocks jump and machines sleep: looked at again after so long at the latest. */
const PAUSE_MAX_MS = 60 * 60 * 1000;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;
/** A plan comes to rest after creating, marking, signing and removing; more steps in a row are a bug. */
const STEPS_MAX = 20;

const FIELD_MANAGER = "gatehouse-certificates";

export function createUpkeep(options: UpkeepOptions): Upkeep {
  const { issuer, state, onMaterial, log } = options;
  let demand: Demand | undefined;
  let leads = false;
  let complete = false;
  let closed = false;
  let failures = 0;
  let shown: ServerMaterial | undefined;
  const tell = createHindranceLog(log);
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let again = false;

  function wake(): void {
    again = true;
    if (closed) return;
    running ??= run().finally(() => {
      running = undefined;
      if (again) wake();
    });
  }

  async function run(): Promise<void> {
    clearTimeout(timer);
    let wakeAt = 0;
    while (again && !closed) {
      again = false;
      wakeAt = await round();
    }
    if (closed) return;
    const pause = Math.min(Math.max(0, wakeAt - Date.now()), PAUSE_MAX_MS);
    timer = setTimeout(wake, pause).unref();
  }

  /** @returns when to look again */
  async function round(): Promise<number> {
    show();
    if (!leads || !complete || demand === undefined) return Number.POSITIVE_INFINITY;
    const hindrance = issuer.hindrance();
    const lookAt = tell(hindrance);
    if (hindrance?.blocks) return lookAt;
    const { wakeAt, sound } = await keep(options, demand, () => leads && !closed, show).catch((error: unknown) => {
      log.error("certificates could not be looked after; this is a bug in Gatehouse", { error });
      return { wakeAt: Number.POSITIVE_INFINITY, sound: false };
    });
    show();
    failures = sound ? 0 : failures + 1;
    return sound ? Math.min(wakeAt, lookAt) : Date.now() + Math.min(RETRY_MIN_MS * 2 ** (failures - 1), RETRY_MAX_MS);
  }

  function show(): void {
    const material = materialOf(state, authorityPlan(options, undefined).bundle);
    if (material === undefined) return;
    if (shown !== undefined && sameMaterial(shown, material)) return;
    try {
      onMaterial(material);
      shown = material;
    } catch (error) {
      log.error("the xDS server does not take its certificate and goes on with the one before", { error });
    }
  }

  return {
    demand(wanted) {
      demand = wanted;
      wake();
    },
    lead(now) {
      leads = now;
      wake();
    },
    stateChanged() {
      complete = true;
      // Not in its turn behind a write that takes long: who connects meanwhile must be shown what is valid.
      show();
      wake();
    },
    figures: () => figuresOf(state),
    hindrance: () => (complete ? issuer.hindrance()?.message : undefined),
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
}

function authorityPlan({ issuer, state, lifetimes }: UpkeepOptions, demand: Demand | undefined): AuthorityPlan {
  const isTrusted = ({ certificate }: Authority) =>
    demand !== undefined &&
    [...demand.namespaces].every((namespace) =>
      state.trust.get(namespace)?.data?.[TRUST_KEY]?.includes(certificate!.pem),
    );
  return planAuthorities(issuer.authorities(), isTrusted, Date.now(), lifetimes);
}

/** Makes everything that is due, in the order of the demand; `sound`: nothing failed. */
async function keep(
  options: UpkeepOptions,
  demand: Demand,
  may: () => boolean,
  onIssued: () => void,
): Promise<{ readonly wakeAt: number; readonly sound: boolean }> {
  const { issuer, log } = options;
  const failed = { wakeAt: 0, sound: false };
  let plan = authorityPlan(options, demand);
  for (let steps = 0; plan.step !== undefined && may(); steps++) {
    const { step } = plan;
    const name = step.do === "create" ? `generation ${step.generation}` : step.authority.name;
    if (steps === STEPS_MAX) throw new Error(`the plan for the xDS authorities does not come to rest at ${step.do}`);
    if (!done(await issuer.perform(step, Date.now()), log)) return failed;
    log.info(`xDS authority: ${words[step.do]}`, { authority: name });
    plan = authorityPlan(options, demand);
  }
  const { signing, bundle } = plan;
  // The first authority is on its way from somebody else.
  if (signing === undefined) return { wakeAt: plan.wakeAt, sound: true };
  let sound = await spreadTrust(options, demand, bundle, may);
  if (!may() || !done(await issuer.prepare(signing), log)) return failed;
  // What was just written may have completed the trust in the next authority.
  const after = authorityPlan(options, demand);
  const leaves = issuer.planLeaves(demand.leaves, issuer.authorities(), Date.now());
  for (const due of leaves.issue) {
    if (!may()) break;
    const issued = done(await issuer.issue(due, signing, Date.now()), log);
    if (issued) log.debug("issued an xDS certificate", { secret: due.leaf.secretName, gateway: due.leaf.gateway });
    onIssued();
    sound &&= issued;
  }
  for (const name of leaves.remove) if (may()) sound = done(await issuer.remove(name), log) && sound;
  const next = issuer.planLeaves(demand.leaves, issuer.authorities(), Date.now());
  return { wakeAt: Math.min(after.wakeAt, next.wakeAt), sound };
}

const words = {
  create: "made the next one",
  markTrusted: "the next one is trusted everywhere",
  sign: "the next one signs from now on",
  remove: "removed one that is not needed any more",
} as const;

/** Brings the authorities to all namespaces with Envoys, and out of those without. */
async function spreadTrust(
  { client, state, log }: UpkeepOptions,
  { namespaces }: Demand,
  bundle: string,
  may: () => boolean,
): Promise<boolean> {
  let sound = true;
  for (const namespace of namespaces) {
    if (!may() || state.trust.get(namespace)?.data?.[TRUST_KEY] === bundle) continue;
    const object = trustConfigMap(namespace, bundle);
    const applying = { fieldManager: FIELD_MANAGER, force: true };
    const answer = await client.serverSideApply<ConfigMapObject>(configMapType, object, applying);
    if (answer.ok) hold(state.trust, namespace, answer.value);
    sound = done(answer, log) && sound;
  }
  for (const namespace of state.trust.keys()) {
    if (!may() || namespaces.has(namespace)) continue;
    const answer = await client.delete(configMapType, { namespace, name: TRUST_CONFIG_MAP });
    if (answer.ok || answer.error.reason === "NotFound") hold(state.trust, namespace, undefined);
    else sound = done(answer, log) && sound;
  }
  return sound;
}

function done(answer: Answer<unknown>, log: Logger): boolean {
  if (answer.ok) return true;
  const { reason, message } = answer.error;
  // Another replica was first: the state has been read again, and the next look starts from there.
  const level = reason === "Conflict" || reason === "AlreadyExists" ? "debug" : "warn";
  log[level]("an xDS certificate could not be written; trying again", { error: message });
  return false;
}

function materialOf({ secrets }: CertificateState, authorities: string): ServerMaterial | undefined {
  const held = secrets.get(SERVER_SECRET);
  if (held?.certificate === undefined || authorities === "") return undefined;
  const client = secrets.get(REPLICA_SECRET);
  return { ...pairOf(held.object), authorities, ...(client?.certificate && { client: pairOf(client.object) }) };
}

function sameMaterial(a: ServerMaterial, b: ServerMaterial): boolean {
  return (
    a.certificate === b.certificate &&
    a.authorities === b.authorities &&
    a.client?.certificate === b.client?.certificate
  );
}

function figuresOf({ secrets }: CertificateState): CertificateFigure[] {
  return [...secrets].flatMap(([name, { certificate }]) =>
    certificate === undefined ? [] : [{ name, expiresAtMilliseconds: certificate.notAfter }],
  );
}
