import { pack } from "../envoy/any.ts";
import type { TypedExtensionConfig } from "../envoy/generated/envoy/config/core/v3/extension.ts";
import type { ListenerFilter } from "../envoy/generated/envoy/config/listener/v3/listener_components.ts";
import { Route } from "../envoy/generated/envoy/extensions/filters/udp/udp_proxy/v3/route.ts";
import { UdpProxyConfig } from "../envoy/generated/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy.ts";
import { SourcePortInput } from "../envoy/generated/envoy/extensions/matching/common_inputs/network/v3/network_inputs.ts";
import { ConsistentHashing } from "../envoy/generated/envoy/extensions/matching/input_matchers/consistent_hashing/v3/consistent_hashing.ts";
import type {
  Matcher,
  Matcher_MatcherList_FieldMatcher,
  Matcher_OnMatch,
} from "../envoy/generated/xds/type/matcher/v3/matcher.ts";
import type { AccessLogs } from "./access-log.ts";
import type { StreamRouting } from "./stream-part.ts";

/**
 * The listener filter that hands datagrams on. All datagrams of one client address and port are a session, and a session has one
 * backend.
 */
export function buildUdpProxy(
  statPrefix: string,
  routing: Pick<StreamRouting, "name" | "shares">,
  logs: AccessLogs,
): ListenerFilter {
  const proxy: UdpProxyConfig = {
    statPrefix,
    matcher: chooseByPort(routing),
    accessLog: [...logs.requests, ...logs.connections],
  };
  return { name: "envoy.filters.udp_listener.udp_proxy", typedConfig: pack(UdpProxyConfig, proxy) };
}

/**
 * Envoy has no weighted clusters for UDP. The hash of the client's port, which systems choose anew for each socket, does for a random
 * number that stays the same for a session: it is below a share's part of the whole as often as the share is large.
 */
function chooseByPort({ name, shares }: Pick<StreamRouting, "name" | "shares">): Matcher {
  const total = shares.reduce((sum, { weight }) => sum + weight, 0);
  const seed = seedOf(name);
  const matchers: Matcher_MatcherList_FieldMatcher[] = [];
  let below = 0;
  for (const { cluster, weight } of shares.slice(0, -1)) {
    below += weight;
    matchers.push({
      // "At least the threshold" is what the matcher can say; the first that holds decides, so the shares are told from above.
      predicate: { singlePredicate: { input: clientPort, customMatch: hashAtLeast(total - below, total, seed) } },
      onMatch: leadTo(cluster),
    });
  }
  const last = shares.at(-1);
  return {
    ...(matchers.length > 0 && { matcherList: { matchers } }),
    ...(last && { onNoMatch: leadTo(last.cluster) }),
  };
}

const clientPort: TypedExtensionConfig = {
  name: "envoy.matching.inputs.source_port",
  typedConfig: pack(SourcePortInput, {}),
};

function hashAtLeast(threshold: number, modulo: number, seed: number): TypedExtensionConfig {
  return {
    name: "envoy.matching.matchers.consistent_hashing",
    typedConfig: pack(ConsistentHashing, { threshold, modulo, seed }),
  };
}

function leadTo(cluster: string): Matcher_OnMatch {
  return { action: { name: "route", typedConfig: pack(Route, { cluster }) } };
}

/** FNV-1a, 32 bits: routes choose apart from each other, and each the same on every replica. */
function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
