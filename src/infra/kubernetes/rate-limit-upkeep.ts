import type { Logger } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { KubeObject } from "../../kube/resource-type.ts";
import { idOf, typeOf } from "./managed-kinds.ts";
import { isRateLimitObject, type RateLimitWorkload, rateLimitObjects, renderRateLimit } from "./rate-limit.ts";

export interface RateLimitUpkeepOptions {
  readonly client: Pick<KubeClient, "get" | "serverSideApply" | "delete">;
  readonly namespace: string;
  /** Undefined: none is wanted, and one that there is is removed. */
  readonly workload: RateLimitWorkload | undefined;
  /** When the earlier of its certificates ends, in milliseconds since the epoch; undefined: there are none yet. */
  readonly certificateExpires: () => number | undefined;
  readonly log: Logger;
}

export interface RateLimitUpkeep {
  /** Resolves when nothing is written any more; what runs goes on. */
  stop(): Promise<void>;
}

/** Certificates are looked at so often, and what failed is tried again. */
const LOOK_EVERY_MS = 2_000;
/** Somebody may have changed an object: it is written again after so many looks, five minutes. */
const LOOKS_TO_REPAIR = 150;

const FIELD_MANAGER = "gatehouse";

/** Keeps the rate limit service as the configuration asks. Only the leader has one. */
export function startRateLimitUpkeep(options: RateLimitUpkeepOptions): RateLimitUpkeep {
  const { client, namespace, workload, log } = options;
  const applied = new Map<string, string>();
  let removed = false;
  let stopped = false;
  let looks = 0;
  let told: string | undefined;

  function tell(error: string | undefined): void {
    if (error !== undefined && error !== told) log.warn("the rate limit service cannot be written", { error });
    told = error;
  }

  async function apply(object: KubeObject): Promise<string | undefined> {
    const text = JSON.stringify(object);
    if (applied.get(idOf(object)) === text) return undefined;
    const answer = await client.serverSideApply(typeOf(object), object, { fieldManager: FIELD_MANAGER, force: true });
    if (!answer.ok) return answer.error.message;
    applied.set(idOf(object), text);
    return undefined;
  }

  async function remove(object: KubeObject): Promise<string | undefined> {
    const { name } = object.metadata;
    const found = await client.get(typeOf(object), { namespace, name });
    if (!found.ok) return found.error.reason === "NotFound" ? undefined : found.error.message;
    if (!isRateLimitObject(found.value)) return undefined;
    const answer = await client.delete(typeOf(object), { namespace, name });
    return answer.ok || answer.error.reason === "NotFound" ? undefined : answer.error.message;
  }

  /** Resolves to what kept it from being done. */
  async function look(): Promise<string | undefined> {
    if (workload === undefined) {
      if (removed) return undefined;
      for (const object of rateLimitObjects(namespace)) {
        const error = stopped ? undefined : await remove(object);
        if (error !== undefined) return error;
      }
      removed = true;
      return undefined;
    }
    if (looks++ % LOOKS_TO_REPAIR === 0) applied.clear();
    const expires = options.certificateExpires();
    // A pod without certificates would wait, and be replaced as soon as they are there.
    const objects = renderRateLimit(workload, expires === undefined ? "" : new Date(expires).toISOString());
    for (const object of objects) {
      if (stopped || (object.kind === "Deployment" && expires === undefined)) return undefined;
      const error = await apply(object);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  let timer: NodeJS.Timeout | undefined;
  async function turn(): Promise<void> {
    tell(await look().catch((error: Error) => error.message));
    if (!stopped && !(removed && workload === undefined)) {
      timer = setTimeout(() => {
        running = turn();
      }, LOOK_EVERY_MS).unref();
    }
  }
  let running = turn();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
