import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../base/log.ts";
import type { ApiError } from "./api-error.ts";
import { countFailure, noFailures } from "./back-off.ts";
import type { KubeClient } from "./client.ts";
import type { Served } from "./discovery.ts";
import type { ResourceType } from "./resource-type.ts";

/** A kind that somebody wants, in the first of its versions that is served. */
export interface WantedKind {
  /** Empty for the core group. */
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** In order of preference. */
  readonly versions: readonly [string, ...string[]];
}

/** Which of the wanted kinds an API server serves, kept up to date. */
export interface ServedTypes {
  /** Undefined: not served, or nothing is known yet. */
  find(kind: WantedKind): ResourceType | undefined;
  /** Asks the server: true when it says that it does not serve the type; false when it does, or does not say. */
  isGone(type: ResourceType): Promise<boolean>;
  stop(): void;
}

/** CRDs are installed and removed by hand; somebody who does it looks for an effect after a few seconds. */
export const DISCOVERY_INTERVAL_MS = 5000;

/**
 * Asks an API server regularly what it serves.
 *
 * @param onChange called after the first answer, and whenever the answer may differ from the one before
 */
export function followServedTypes(
  client: Pick<KubeClient, "discovery">,
  log: Logger,
  onChange: () => void,
  intervalMilliseconds: number = DISCOVERY_INTERVAL_MS,
): ServedTypes {
  const stopping = new AbortController();
  const { signal } = stopping;
  let served: Served | undefined;

  async function ask(): Promise<ApiError | undefined> {
    const answer = await client.discovery({ signal });
    if (!answer.ok) {
      log.debug("the API server does not say what it serves", { error: answer.error.message });
      return answer.error;
    }
    if (signal.aborted) return undefined;
    const changed = served !== answer.value;
    served = answer.value;
    if (changed) onChange();
    return undefined;
  }

  async function askForEver(): Promise<void> {
    let failures = noFailures();
    while (!signal.aborted) {
      const error = await ask();
      if (error === undefined) failures = noFailures();
      const wait = error === undefined ? intervalMilliseconds : countFailure(failures, error);
      await delay(wait, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  void askForEver();
  return {
    find({ group, kind, versions }) {
      for (const version of versions) {
        const type = served?.find(group, version, kind);
        if (type !== undefined) return type;
      }
      return undefined;
    },
    async isGone(type) {
      if ((await ask()) !== undefined) return false;
      return served?.find(type.group, type.version, type.kind) === undefined && !served?.stale.has(type.group);
    },
    stop: () => stopping.abort(),
  };
}
