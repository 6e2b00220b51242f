import type { ObjectKey } from "../../base/keys.ts";
import type { Logger } from "../../base/log.ts";
import { type ApiError, errorOfFailure, isTransient } from "../../kube/api-error.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isNewer, type KubeObject } from "../../kube/resource-type.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import type { InfrastructureFault } from "../../pipeline/sources.ts";
import { isAlias } from "./alias.ts";
import { project, stamp } from "./comparison.ts";
import type { ClusterEnvironment } from "./environment.ts";
import { isOfInstallation } from "./identity.ts";
import { idOf, typeOf } from "./managed-kinds.ts";
import { planWork } from "./plan.ts";
import { renderGateway } from "./render.ts";
import { keepReplicas } from "./replicas.ts";

export interface ReconcileOptions {
  readonly client: Pick<KubeClient, "get" | "serverSideApply" | "delete">;
  readonly environment: ClusterEnvironment;
  readonly log: Logger;
}

/** A gateway's objects: as they should be, and as they are. */
export interface ReconciledSite {
  wanted: GatewayInfrastructure | undefined;
  readonly live: Map<string, KubeObject>;
  readonly stored: Map<string, unknown>;
  failures: number;
  fault: InfrastructureFault | undefined;
  /** Why the gateway has no name in its own namespace; it serves all the same. */
  aliasFault: string | undefined;
  /** Since when a workload waits for its successor. */
  waitingSince: number | undefined;
}

export function createSite(): ReconciledSite {
  return {
    wanted: undefined,
    live: new Map(),
    stored: new Map(),
    failures: 0,
    fault: undefined,
    aliasFault: undefined,
    waitingSince: undefined,
  };
}

const FIELD_MANAGER = "gatehouse";

/** After a failure a gateway is tried again: soon when the server was at fault, rarely when the object is. */
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** Somebody must permit what was forbidden, or rename something: nothing that matters waits for it. */
const ALIAS_RETRY_MS = 10 * 60_000;
/** An alias whose Gateway has come to another fleet is deleted by the one before. */
const ALIAS_HANDOVER_MS = 2_000;
/** How long pods of a former workload may wait for those of the new one. */
const REPLACEMENT_PATIENCE_MS = 5 * 60_000;

/** An account may serve several gateways that name it alike: it says what pods may do, and nothing about their gateway. */
export const SHAREABLE = "ServiceAccount";

/** Whose an object is from now on. */
type Claim = (object: KubeObject) => ObjectKey;

interface Changes {
  readonly apply: readonly KubeObject[];
  readonly remove: readonly KubeObject[];
}

/** Writes what differs. Resolves to the time after which to look again, if that is not only when something changes. */
export async function reconcile(
  options: ReconcileOptions,
  site: ReconciledSite,
  claim: Claim,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { wanted } = site;
  if (wanted?.held) return undefined;
  const desired = wanted === undefined ? [] : renderGateway(wanted, options.environment).map(stamp);
  const waited = site.waitingSince === undefined ? 0 : Date.now() - site.waitingSince;
  const work = planWork(desired, site.live, site.stored, waited >= REPLACEMENT_PATIENCE_MS);
  site.waitingSince = work.waiting.length === 0 ? undefined : (site.waitingSince ?? Date.now());
  const select = (wantsAlias: boolean): Changes => ({
    apply: work.apply.filter((object) => isAlias(object) === wantsAlias),
    remove: work.remove.filter((object) => isAlias(object) === wantsAlias),
  });
  const again = await writeObjects(options, site, select(false), claim, signal);
  const aliasAgain = await writeAliases(options, site, select(true), claim, signal);
  return again === undefined || aliasAgain === undefined ? (again ?? aliasAgain) : Math.min(again, aliasAgain);
}

/** What serves. One that is refused stops those after it, and the Gateway's status says so. */
async function writeObjects(
  options: ReconcileOptions,
  site: ReconciledSite,
  { apply, remove }: Changes,
  claim: Claim,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { wanted } = site;
  let error: ApiError | undefined;
  for (const object of apply) {
    if (signal.aborted) return undefined;
    const owner = claim(object);
    if (owner === wanted?.gateway) error ??= await applyObject(options, site, object);
    else if (object.kind !== SHAREABLE) {
      const text = `${idOf(object)} runs Gateway ${owner} already; give the objects of the two Gateways different names`;
      return reportFault(options.log, site, { text }, RETRY_MAX_MS);
    }
  }
  // What takes the place of a leftover must be there first.
  for (const object of error === undefined ? remove : []) {
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

/** Names of Gateways in their own namespaces. Nothing that serves depends on them: what is refused is told in the log alone. */
async function writeAliases(
  options: ReconcileOptions,
  site: ReconciledSite,
  { apply, remove }: Changes,
  claim: Claim,
  signal: AbortSignal,
): Promise<number | undefined> {
  let again: number | undefined;
  let fault: string | undefined;
  const take = (error: ApiError | undefined) => {
    if (error === undefined) return;
    const ms = isTransient(error) ? (error.retryAfterMilliseconds ?? RETRY_MAX_MS) : ALIAS_RETRY_MS;
    again = Math.min(again ?? ms, ms);
    fault ??= error.message;
  };
  for (const object of apply) {
    if (signal.aborted) return undefined;
    if (claim(object) === site.wanted?.gateway) take(await applyObject(options, site, object));
    else again = ALIAS_HANDOVER_MS;
  }
  for (const object of remove) {
    if (signal.aborted) return undefined;
    take(await removeObject(options, site, object));
  }
  if (fault !== undefined && fault !== site.aliasFault) {
    options.log.warn("a gateway has no name in its own namespace", { error: fault });
  }
  site.aliasFault = fault;
  return again;
}

/** Fields of a Service that say what a Gateway's `spec.addresses` say. */
const ADDRESS_FIELD = /^spec\.(clusterIPs?|externalIPs|loadBalancerIP)\b/;

/** Somebody must change something, and the Gateway's status says what. */
function reportFault(log: Logger, site: ReconciledSite, fault: InfrastructureFault, retryMs: number): number {
  if (site.fault?.text !== fault.text) log.warn("an object of a gateway is refused", { error: fault.text });
  site.fault = fault;
  return retryMs;
}

async function applyObject(
  options: ReconcileOptions,
  site: ReconciledSite,
  object: KubeObject,
): Promise<ApiError | undefined> {
  const id = idOf(object);
  const { client, log } = options;
  const before = site.live.get(id);
  const taken = before === undefined ? await findForeign(options, object) : undefined;
  if (taken !== undefined) return taken;
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

/** In a namespace of users an object may have the name of one of ours, and applying ours would take theirs over. */
async function findForeign(
  { client, environment }: ReconcileOptions,
  object: KubeObject,
): Promise<ApiError | undefined> {
  const { namespace = "", name } = object.metadata;
  if (!environment.inGatewayNamespace && !isAlias(object)) return undefined;
  const found = await client.get(typeOf(object), { namespace, name });
  if (!found.ok) return found.error.reason === "NotFound" ? undefined : found.error;
  if (isOfInstallation(found.value, environment)) return undefined;
  const why = "one of this name is there already and not Gatehouse's; rename it or the Gateway";
  return errorOfFailure(`apply ${idOf(object)}`, "AlreadyExists", why);
}

async function removeObject(
  { client, log }: ReconcileOptions,
  site: ReconciledSite,
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
