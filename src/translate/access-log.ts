import { pack } from "../envoy/any.ts";
import type { AccessLog } from "../envoy/generated/envoy/config/accesslog/v3/accesslog.ts";
import { StdoutAccessLog } from "../envoy/generated/envoy/extensions/access_loggers/stream/v3/stream.ts";

/** Fields of the default access log, as Envoy Gateway writes them. Operators: Envoy docs "Access logging". */
const defaultFields = {
  ":authority": "%REQ(:AUTHORITY)%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  connection_termination_details: "%CONNECTION_TERMINATION_DETAILS%",
  downstream_local_address: "%DOWNSTREAM_LOCAL_ADDRESS%",
  downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%",
  duration: "%DURATION%",
  method: "%REQ(:METHOD)%",
  protocol: "%PROTOCOL%",
  requested_server_name: "%REQUESTED_SERVER_NAME%",
  response_code: "%RESPONSE_CODE%",
  response_code_details: "%RESPONSE_CODE_DETAILS%",
  response_flags: "%RESPONSE_FLAGS%",
  route_name: "%ROUTE_NAME%",
  start_time: "%START_TIME%",
  upstream_cluster: "%UPSTREAM_CLUSTER%",
  upstream_host: "%UPSTREAM_HOST%",
  upstream_local_address: "%UPSTREAM_LOCAL_ADDRESS%",
  upstream_transport_failure_reason: "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
  "user-agent": "%REQ(USER-AGENT)%",
  "x-envoy-origin-path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
  "x-envoy-upstream-service-time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
  "x-forwarded-for": "%REQ(X-FORWARDED-FOR)%",
  "x-request-id": "%REQ(X-REQUEST-ID)%",
} as const;

const stdout = pack(StdoutAccessLog, { logFormat: { jsonFormat: defaultFields } });
const name = "envoy.access_loggers.stdout";

/** One JSON line a request on Envoy's standard output; on a host that is a file beside Envoy's own log. */
export const requestLog: readonly AccessLog[] = [{ name, typedConfig: stdout }];

/** Connections that no filter chain takes (a server name without a listener) never become requests: logged by the listener. */
export const connectionLog: readonly AccessLog[] = [
  { name, filter: { responseFlagFilter: { flags: ["NR"] } }, typedConfig: stdout },
];
