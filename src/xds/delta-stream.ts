import type { DeltaDiscoveryRequest } from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { nextResponse } from "./next-response.ts";
import { createResponseMemory, encodeDeltaResponse } from "./response.ts";
import { applyChanges, createSession, isBehind, receiveRequest } from "./session.ts";
import type { Protocol, StreamContext } from "./stream.ts";
import { buildOf } from "./stream.ts";

/** The incremental protocol, which Envoy speaks: a {@link Session} on a stream. */
export function deltaProtocol(context: StreamContext): Protocol<DeltaDiscoveryRequest> {
  const { store, limits, counters } = context;
  return {
    node: (request) => request.node,
    begin(gateway, node, wake) {
      const resources = store.gateway(gateway);
      const { id: nodeId = "" } = node;
      const session = createSession(
        resources,
        buildOf(node),
        limits,
        (answer) => context.onAcknowledgement({ ...answer, node: nodeId }),
        (table) => context.onTableSent(gateway, nodeId, table),
      );
      const stopObserving = resources.observe((changed) => {
        applyChanges(session, changed);
        wake();
      });
      const memory = createResponseMemory();
      counters.streams++;
      context.onStream(gateway, nodeId, true);
      let stated = false;
      return {
        receive(request) {
          if (request.errorDetail !== undefined) counters.refusals++;
          else if (request.responseNonce) counters.acknowledgements++;
          receiveRequest(session, request, performance.now());
          if (stated || request.typeUrl !== resourceTypes.listener) return;
          stated = true;
          context.onListenersStated(gateway, nodeId);
        },
        next(now) {
          const response = nextResponse(session, now);
          return response && { bytes: encodeDeltaResponse(response, memory), resources: response.resources.length };
        },
        wakeAt: () => session.wakeAt,
        failure: () => session.failure,
        isBehind: () => isBehind(session),
        finish() {
          stopObserving();
          counters.streams--;
          context.onStream(gateway, nodeId, false);
        },
      };
    },
  };
}
