import type { ObjectKey } from "../../base/keys.ts";
import { sameData } from "../../dataflow/equality.ts";
import type { ObjectChanges } from "../../kube/list-watch.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import type { InfrastructureFault, InfrastructureWaits } from "../../pipeline/sources.ts";
import { type Address, addressesOfService } from "./addresses.ts";
import { isAlias } from "./alias.ts";
import type { GatewayPods } from "./gateway-pods.ts";
import { owningGateway } from "./identity.ts";
import { idOf } from "./managed-kinds.ts";
import { createSite, type ReconciledSite, type ReconcileOptions, reconcile, SHAREABLE } from "./reconcile.ts";
import { describeWaits } from "./waits.ts";

export interface ApplierOptions extends ReconcileOptions {
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

/** Gateways that are worked on at the same time. */
const GATEWAYS_AT_ONCE = 4;
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
    const site: Site = { ...createSite(), timer: undefined };
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
    // What is known of some kinds only would make a gateway that serves look as if it had lost its address.
    if (!started) return;
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
      for (const gateway of sites.keys()) tell(gateway);
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

interface Site extends ReconciledSite {
  timer: NodeJS.Timeout | undefined;
}

/** Whose an object is that a gateway is about to write; the gateway's own when it was nobody's. */
function claimObject(owners: Map<string, ObjectKey>, object: KubeObject, gateway: ObjectKey): ObjectKey {
  const id = idOf(object);
  const owner = owners.get(id) ?? gateway;
  owners.set(id, owner);
  return owner;
}

function describe({ live, fault }: Site, gateway: ObjectKey, pods: ApplierOptions["pods"]): InfrastructureState {
  const objects = [...live.values()].filter((object) => !isAlias(object));
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
