import { pause } from "../../harness/waiting.ts";
import type { Rest } from "../rest.ts";
import type { Pod, PodStatus } from "./objects.ts";

/** Writes the status of one pod: one write in flight, the newest wins, until it is done or the pod is gone. */
export interface StatusWriter {
  write(status: PodStatus): void;
  /** Writes again when the object, as the API server has it now, says something else than we did: we know better. */
  correct(current: PodStatus | undefined): void;
  /** Resolves when the newest status has been written, or cannot be. */
  settle(): Promise<void>;
  /** Tells the API server that nothing of the pod runs any more: the object goes away. */
  confirmDeletion(): Promise<void>;
  close(): void;
}

const RETRY_MS = 500;
/** Somebody else wrote at the same time, again and again; or it is another pod of that name by now, which is for good. */
const CONFLICTS_MAX = 5;

export function createStatusWriter(rest: Rest, pod: Pod): StatusWriter {
  const { name, namespace, uid } = pod.metadata;
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  let newest: PodStatus | undefined;
  let last: PodStatus | undefined;
  let writing: Promise<void> | undefined;
  let closed = false;

  /** Tries until there is an answer that will not change, or until {@link StatusWriter.close}. */
  const insist = async (url: string, options: Parameters<Rest["ask"]>[1]): Promise<void> => {
    for (let conflicts = 0; !closed; ) {
      try {
        const { status, body } = await rest.ask(url, options);
        if (status === 409) conflicts++;
        const passes = status >= 500 || status === 429 || (status === 409 && conflicts < CONFLICTS_MAX);
        if (!passes) {
          if (status >= 400 && status !== 404 && status !== 409) console.error(`${url}: ${status} ${body}`);
          return;
        }
      } catch {
        // The API server is away: there is nobody else to tell.
      }
      await pause(RETRY_MS);
    }
  };

  const drain = async () => {
    while (newest !== undefined && !closed) {
      const status = newest;
      newest = undefined;
      if (last !== undefined && JSON.stringify(status) === JSON.stringify(last)) continue;
      // Strategic: conditions are merged by type, so that others' stay.
      const contentType = "application/strategic-merge-patch+json";
      await insist(`${path}/status`, { method: "PATCH", contentType, body: { metadata: { uid }, status } });
      last = status;
    }
  };
  const start = () => {
    writing ??= drain().finally(() => {
      writing = undefined;
      if (newest !== undefined && !closed) start();
    });
  };

  return {
    write(status) {
      newest = status;
      start();
    },
    correct(current) {
      if (writing !== undefined || last === undefined || !contradicts(current, last)) return;
      newest = last;
      last = undefined;
      start();
    },
    settle: async () => {
      while (writing !== undefined) await writing;
    },
    async confirmDeletion() {
      const body = { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: 0, preconditions: { uid } };
      await insist(path, { method: "DELETE", body });
    },
    close() {
      closed = true;
    },
  };
}

function contradicts(current: PodStatus | undefined, ours: PodStatus): boolean {
  const differs = ours.conditions?.some(
    ({ type, status }) => current?.conditions?.find((condition) => condition.type === type)?.status !== status,
  );
  return current?.phase !== ours.phase || differs === true;
}
