import type { DeltaDiscoveryRequest } from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import { nextResponse } from "./next-response.ts";
import { createResponseMemory, encodeDeltaResponse } from "./response.ts";
import { applyChanges, createSession, receiveRequest } from "./session.ts";
import type { Protocol, StreamContext } from "./stream.ts";
import { buildOf } from "./stream.ts";

/** The incremental protocol, which Envoy speaks: a {@link Session} on a stream. */
export function deltaProtocol(context: StreamContext): Protocol<DeltaDiscoveryRequest> {
  const { store, limits, counters } = context;
  return {
    node: (request) => request.node,
    begin(gateway, node, wake) {
      const resources = store.gateway(gateway);
      const session = createSession(resources, buildOf(node), limits, context.onAcknowledgement);
      const stopObserving = resources.observe((changed) => {
        applyChanges(session, changed);
        wake();
      });
      const memory = createResponseMemory();
      counters.streams++;
      context.onStream(gateway, node.id ?? "", true);
      return {
        receive(request) {
          if (request.errorDetail !== undefined) counters.refusals++;
          else if (request.responseNonce) counters.acknowledgements++;
          receiveRequest(session, request, performance.now());
        },
        next(now) {
          const response = nextResponse(session, now);
          return response && { bytes: encodeDeltaResponse(response, memory), resources: response.resources.length };
        },
        wakeAt: () => session.wakeAt,
        failure: () => session.failure,
        finish() {
          stopObserving();
          counters.streams--;
          context.onStream(gateway, node.id ?? "", false);
        },
      };
    },
  };
}
