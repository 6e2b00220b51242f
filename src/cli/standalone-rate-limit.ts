import type { RateLimitService } from "../attach/rate-limit.ts";
import type { Logger } from "../base/log.ts";
import { locateRateLimit, rateLimitSocket, startRateLimit } from "../infra/rate-limit-process.ts";
import type { StateFolder } from "../infra/state-folder.ts";

/** Of `gatehouse standalone`: who counts for global rate limits. */
export interface RateLimitOptions {
  /** `host:port` of a Redis: the service is started here and counts there. */
  readonly rateLimitRedis?: string;
  /** Path of the service; undefined: look for one. */
  readonly rateLimitCommand?: string;
  /** `host:port` of a service that runs already and fetches its configuration from here. */
  readonly rateLimitAddress?: string;
  readonly rateLimitFailClosed?: boolean;
}

/** What Envoys are to know of the service. @throws Error for options that contradict each other */
export function readRateLimitService(options: RateLimitOptions, state: StateFolder): RateLimitService | undefined {
  const { rateLimitRedis, rateLimitAddress, rateLimitFailClosed = false } = options;
  if (rateLimitRedis !== undefined && rateLimitAddress !== undefined) {
    throw new Error(
      "--rate-limit-redis starts a service and --rate-limit-address names one that runs: give one of them",
    );
  }
  if (rateLimitRedis === undefined && rateLimitAddress === undefined) {
    if (rateLimitFailClosed || options.rateLimitCommand !== undefined) {
      throw new Error("global rate limits need --rate-limit-redis or --rate-limit-address");
    }
    return undefined;
  }
  if (rateLimitAddress === undefined) {
    return { address: { unixPath: rateLimitSocket(state) }, failClosed: rateLimitFailClosed };
  }
  const colon = rateLimitAddress.lastIndexOf(":");
  const host = rateLimitAddress.slice(0, colon).replace(/^\[|\]$/g, "");
  return { address: { host, port: Number(rateLimitAddress.slice(colon + 1)) }, failClosed: rateLimitFailClosed };
}

/** Starts the service where that is asked for. @returns how to end it */
export async function openRateLimit(
  { rateLimitRedis, rateLimitCommand }: RateLimitOptions,
  { state, log }: { readonly state: StateFolder; readonly log: Logger },
  print: (line: string) => void,
): Promise<(() => Promise<void>) | undefined> {
  if (rateLimitRedis === undefined) return undefined;
  const binary = await locateRateLimit(rateLimitCommand);
  const service = await startRateLimit({ binary, redis: rateLimitRedis, state, log });
  print(`the rate limit service is ${binary} and counts in ${rateLimitRedis}`);
  return () => service.stop();
}
