import { clientHeaders, clientIPDetection, clientPath, clientTimeout, http1 } from "./clienttrafficpolicy-http.ts";
import { clientTls } from "./clienttrafficpolicy-tls.ts";
import { clusterSettingsFields, http2 } from "./cluster-settings.ts";
import { policyColumns, policyStatus, targetFields, targetRules } from "./policy-targets.ts";
import { byteSize, choice, defineKind, flag, integer, type ObjectOf, object, required, text } from "./schema.ts";
import { duration } from "./shared-schemas.ts";

const connection = object("Sizes and number of connections of clients.", {
  connectionLimit: object(
    "Limits of connections.",
    {
      value: integer("Connections at a time; what is beyond is closed.", { format: "int64", minimum: 1 }),
      closeDelay: duration("Time to wait before a connection beyond the limit is closed."),
      maxConnectionDuration: duration("Age at which a connection is closed; no limit when left out."),
      maxRequestsPerConnection: integer("Requests after which a connection is closed; no limit when left out.", {
        format: "int32",
      }),
      maxStreamDuration: duration("Time that a request or stream may take from first byte to last."),
    },
    { rules: [{ rule: "!has(self.closeDelay) || has(self.value)", message: "closeDelay needs the field value" }] },
  ),
  bufferLimit: byteSize("Bytes that Envoy buffers for one connection; 32Ki when left out."),
  socketBufferLimit: byteSize("Receive buffer of a connection's socket."),
  maxAcceptPerSocketEvent: integer("Connections to accept at once; 0: all that wait.", { format: "int32", default: 1 }),
});

const spec = object(
  "What to do with clients.",
  {
    ...targetFields,
    tcpKeepalive: clusterSettingsFields.tcpKeepalive,
    enableProxyProtocol: flag("Not used any more: write proxyProtocol."),
    proxyProtocol: object(
      "Take the client's address from the PROXY protocol.",
      { optional: flag("Take connections without it, too.") },
      { minProperties: 0 },
    ),
    clientIPDetection,
    tls: clientTls,
    path: clientPath,
    headers: clientHeaders,
    timeout: clientTimeout,
    connection,
    http1,
    http2,
    http3: object("Serve HTTP/3 beside the other versions, on the same port over UDP.", {}),
    grpc: object("gRPC.", { enableWeb: flag("Translate gRPC-Web; true when left out.") }),
    healthCheck: object("Envoy answers health checks of load balancers itself.", {
      path: required(text("Path of the checks.", { minLength: 1, maxLength: 1024 })),
    }),
    scheme: choice(
      "Preserve keeps the scheme of the request, which is the default; MatchBackend tells the backend that of the connection to it.",
      ["Preserve", "MatchBackend"],
    ),
  },
  { rules: targetRules(["Gateway", "ListenerSet"]) },
);

export const clientTrafficPolicyDefinition = defineKind({
  group: "gateway.envoyproxy.io",
  version: "v1alpha1",
  kind: "ClientTrafficPolicy",
  plural: "clienttrafficpolicies",
  shortNames: ["ctp"],
  categories: ["envoy-gateway"],
  description: "How Envoy treats the connections and requests of clients.",
  printerColumns: policyColumns,
  spec,
  status: policyStatus,
});

/** Settings of the side of clients that attach to Gateways, group `gateway.envoyproxy.io`. */
export type ClientTrafficPolicy = ObjectOf<typeof clientTrafficPolicyDefinition>;
