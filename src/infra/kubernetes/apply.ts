import type { ObjectKey } from "../../base/keys.ts";
import type { Logger } from "../../base/log.ts";
import { sameData } from "../../dataflow/equality.ts";
import { type ApiError, isTransient } from "../../kube/api-error.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { ObjectChanges } from "../../kube/list-watch.ts";
import { isNewer, type KubeObject } from "../../kube/resource-type.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import type { InfrastructureFault, InfrastructureWaits } from "../../pipeline/sources.ts";
import { type Address, addressesOfService } from "./addresses.ts";
import { project, stamp } from "./comparison.ts";
import type { ClusterEnvironment } from "./environment.ts";
import type { GatewayPods } from "./gateway-pods.ts";
import { owningGateway } from "./identity.ts";
import { idOf, typeOf } from "./managed-kinds.ts";
import { planWork } from "./plan.ts";
import { renderGateway } from "./render.ts";
import { keepReplicas } from "./replicas.ts";
import { describeWaits } from "./waits.ts";

export type InfrastructureClient = Pick<KubeClient, "serverSideApply" | "delete">;

export interface ApplierOptions {
  readonly client: InfrastructureClient;
  readonly environment: ClusterEnvironment;
  readonly log: Logger;
  /** What the pods of gateways say. */
  readonly pods: Pick<GatewayPods, "readyHosts" | "trouble">;
  /** What became known of a gateway's objects; called when it changes. */
  readonly onState: (gateway: ObjectKey, state: InfrastructureState | undefined) => void;
}

export interface InfrastructureState {
  readonly addresses: readonly Address[];
  readonly waits: InfrastructureWaits;
  readonly fault?: InfrastructureFault;
}

/** The consumer of the pipeline's infrastructure output in a cluster. Only the leader has one. */
export interface InfrastructureApplier {
  /** What should be, as the pipeline says. */
  apply(changes: ReadonlyMap<ObjectKey, GatewayInfrastructure | undefined>): void;
  /** What is, as the watches of the managed kinds say. */
  observe(changes: ObjectChanges, kind: string): void;
  /** `pods` may say something else of the gateway. */
  moved(gateway: ObjectKey): void;
  /** Both sides have been handed over in full: from now on objects are written, and those that nothing asks for deleted. */
  start(): void;
  /** Resolves when nothing is written any more. Objects stay. */
  stop(): Promise<void>;
  /** Resolves when nothing is left to do that is known of. */
  idle(): Promise<void>;
}

export const FIELD_MANAGER = "gatehouse";

/** Gateways that are worked on at the same time. */
const GATEWAYS_AT_ONCE = 4;
/** After a failure a gateway is tried again: soon when the server was at fault, rarely when the object is. */
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** How long pods of a former workload may wait for those of the new one. */
const REPLACEMENT_PATIENCE_MS = 5 * 60_000;

interface Site {
  wanted: GatewayInfrastructure | undefined;
  readonly live: Map<string, KubeObject>;
  readonly stored: Map<string, unknown>;
  failures: number;
  fault: InfrastructureFault | undefined;
  /** Since when a workload waits for its successor. */
  waitingSince: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

export function createInfrastructureApplier(options: ApplierOptions): InfrastructureApplier {
  const sites = new Map<ObjectKey, Site>();
  const owners = new Map<string, ObjectKey>();
  const states = new Map<ObjectKey, InfrastructureState>();
  const queue = new Set<ObjectKey>();
  const working = new Set<ObjectKey>();
  const stopping = new AbortController();
  let started = false;
  const wakeIdle: (() => void)[] = [];

  function siteOf(gateway: ObjectKey): Site {
    const known = sites.get(gateway);
    if (known !== undefined) return known;
    const site: Site = {
      wanted: undefined,
      live: new Map(),
      stored: new Map(),
      failures: 0,
      fault: undefined,
      waitingSince: undefined,
      timer: undefined,
    };
    sites.set(gateway, site);
    return site;
  }

  function enqueue(gateway: ObjectKey): void {
    if (stopping.signal.aborted) return;
    queue.add(gateway);
    work();
  }

  function work(): void {
    if (!started) return;
    for (const gateway of queue) {
      if (working.size >= GATEWAYS_AT_ONCE) return;
      if (working.has(gateway)) continue;
      queue.delete(gateway);
      working.add(gateway);
      const claim = (object: KubeObject) => claimObject(owners, object, gateway);
      void reconcile(options, siteOf(gateway), claim, stopping.signal).then((retryMs) => {
        working.delete(gateway);
        finish(gateway, retryMs);
        work();
        if (queue.size === 0 && working.size === 0) for (const wake of wakeIdle.splice(0)) wake();
      });
    }
  }

  function finish(gateway: ObjectKey, retryMs: number | undefined): void {
    const site = siteOf(gateway);
    tell(gateway);
    clearTimeout(site.timer);
    site.timer = undefined;
    if (retryMs !== undefined) site.timer = setTimeout(() => enqueue(gateway), retryMs).unref();
    else if (site.wanted === undefined && site.live.size === 0 && !queue.has(gateway)) sites.delete(gateway);
  }

  function tell(gateway: ObjectKey): void {
    const site = sites.get(gateway);
    const before = states.get(gateway);
    const after = site?.wanted === undefined ? undefined : describe(site, gateway, options.pods);
    if (sameData(before, after)) return;
    if (after === undefined) states.delete(gateway);
    else states.set(gateway, after);
    options.onState(gateway, after);
  }

  return {
    apply(changes) {
      for (const [gateway, infrastructure] of changes) {
        const site = siteOf(gateway);
        site.wanted = infrastructure;
        site.failures = 0;
        enqueue(gateway);
      }
    },
    observe(changes, kind) {
      for (const [key, object] of changes) {
        const id = `${kind} ${key}`;
        const owner = object === undefined ? owners.get(id) : owningGateway(object);
        if (owner === undefined) continue;
        const site = siteOf(owner);
        if (object === undefined) {
          owners.delete(id);
          site.live.delete(id);
          // Others may have shared it.
          if (kind === SHAREABLE) for (const gateway of sites.keys()) enqueue(gateway);
        } else {
          owners.set(id, owner);
          site.live.set(id, object);
        }
        tell(owner);
        enqueue(owner);
      }
    },
    moved: tell,
    start() {
      started = true;
      work();
    },
    async stop() {
      stopping.abort();
      queue.clear();
      for (const site of sites.values()) clearTimeout(site.timer);
      while (working.size > 0) await new Promise<void>((resolve) => wakeIdle.push(resolve));
    },
    async idle() {
      while (queue.size > 0 || working.size > 0) await new Promise<void>((resolve) => wakeIdle.push(resolve));
    },
  };
}

/** An account may serve several gateways that name it alike: it says what pods may do, and nothing about their gateway. */
const SHAREABLE = "ServiceAccount";

/** Whose an object is that a gateway is about to write; the gateway's own when it was nobody's. */
function claimObject(owners: Map<string, ObjectKey>, object: KubeObject, gateway: ObjectKey): ObjectKey {
  const id = idOf(object);
  const owner = owners.get(id) ?? gateway;
  owners.set(id, owner);
  return owner;
}

function describe({ live, fault }: Site, gateway: ObjectKey, pods: ApplierOptions["pods"]): InfrastructureState {
  const objects = [...live.values()];
  const hosts = pods.readyHosts(gateway);
  return {
    addresses: addressesOfService(
      objects.find(({ kind }) => kind === "Service"),
      hosts,
    ),
    waits: describeWaits(objects, hosts.length > 0, pods.trouble(gateway)),
    ...(fault !== undefined && { fault }),
  };
}

/** Writes what differs. Resolves to the time after which to look again, if that is not only when something changes. */
async function reconcile(
  options: ApplierOptions,
  site: Site,
  claim: (object: KubeObject) => ObjectKey,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { wanted } = site;
  if (wanted?.held) return undefined;
  const desired = wanted === undefined ? [] : renderGateway(wanted, options.environment).map(stamp);
  const waited = site.waitingSince === undefined ? 0 : Date.now() - site.waitingSince;
  const work = planWork(desired, site.live, site.stored, waited >= REPLACEMENT_PATIENCE_MS);
  site.waitingSince = work.waiting.length === 0 ? undefined : (site.waitingSince ?? Date.now());
  let error: ApiError | undefined;
  for (const object of work.apply) {
    if (signal.aborted) return undefined;
    const owner = claim(object);
    if (owner === wanted?.gateway) error ??= await applyObject(options, site, object);
    else if (object.kind !== SHAREABLE) {
      const text = `${idOf(object)} runs Gateway ${owner} already; give the objects of the two Gateways different names`;
      return reportFault(options.log, site, { text }, RETRY_MAX_MS);
    }
  }
  // What takes the place of a leftover must be there first.
  for (const object of error === undefined ? work.remove : []) {
    if (signal.aborted) return undefined;
    error ??= await removeObject(options, site, object);
  }
  if (error === undefined) {
    site.failures = 0;
    site.fault = undefined;
    return site.waitingSince === undefined ? undefined : REPLACEMENT_PATIENCE_MS;
  }
  site.failures += 1;
  const grown = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** (site.failures - 1));
  if (isTransient(error)) {
    options.log.debug("an object of a gateway cannot be written now", { error: error.message });
    return error.retryAfterMilliseconds ?? grown;
  }
  const ofAddresses = wanted?.addresses.length && error.causes.some(({ field = "" }) => ADDRESS_FIELD.test(field));
  const fault: InfrastructureFault = { text: error.message, ...(ofAddresses && { ofAddresses }) };
  return reportFault(options.log, site, fault, error.reason === "Conflict" ? grown : RETRY_MAX_MS);
}

/** Fields of a Service that say what a Gateway's `spec.addresses` say. */
const ADDRESS_FIELD = /^spec\.(clusterIPs?|externalIPs|loadBalancerIP)\b/;

/** Somebody must change something, and the Gateway's status says what. */
function reportFault(log: Logger, site: Site, fault: InfrastructureFault, retryMs: number): number {
  if (site.fault?.text !== fault.text) log.warn("an object of a gateway is refused", { error: fault.text });
  site.fault = fault;
  return retryMs;
}

async function applyObject(options: ApplierOptions, site: Site, object: KubeObject): Promise<ApiError | undefined> {
  const id = idOf(object);
  const { client, log } = options;
  const before = site.live.get(id);
  const kept = await keepReplicas(client, object, before);
  if (kept !== undefined) return kept;
  const answer = await client.serverSideApply(typeOf(object), object, { fieldManager: FIELD_MANAGER, force: true });
  if (!answer.ok) return answer.error;
  log.info("applied an object of a gateway", { object: id });
  const seen = site.live.get(id);
  // The watch may be ahead of the answer: others change or delete the object as soon as it is there, such as a load balancer that
  // writes the Service's address. What the watch said meanwhile counts, unless it is older.
  if (seen === before || (seen !== undefined && isNewer(answer.value, seen))) site.live.set(id, answer.value);
  site.stored.set(id, project(answer.value, object));
  return undefined;
}

async function removeObject(
  { client, log }: ApplierOptions,
  site: Site,
  object: KubeObject,
): Promise<ApiError | undefined> {
  const id = idOf(object);
  const { uid } = object.metadata;
  const options = uid === undefined ? {} : { preconditions: { uid } };
  const answer = await client.delete(typeOf(object), object.metadata, options);
  if (!answer.ok && answer.error.reason !== "NotFound") return answer.error;
  log.info("deleted an object that no gateway asks for", { object: id });
  site.stored.delete(id);
  // One of the same name may have been made meanwhile.
  if ((!answer.ok || answer.value === "deleted") && site.live.get(id) === object) site.live.delete(id);
  return undefined;
}
