/**
 * Envoy reads `%NAME(arguments):length%` in a header value as a command to be filled in and refuses a route table that has a
 * `%` it cannot read. Values that consist of known commands and plain text keep their meaning, as users of Envoy Gateway
 * expect; in every other value a `%` stands for itself, as the Gateway API has it.
 */
export function formatHeaderValue(value: string): string {
  if (!value.includes("%")) return value;
  const rest = value.replace(COMMAND, (command, name: string, commandArguments: string | undefined) =>
    command === "%%" || (commandArguments === undefined ? plain : withArguments).has(name) ? "" : command,
  );
  return rest.includes("%") ? value.replaceAll("%", "%%") : value;
}

/** `%%` is an escaped `%`; a START_TIME has more of them among its arguments. */
const COMMAND = /%([A-Z0-9_]*)(\([^()]+\))?(?::[0-9]+)?%/g;

/** Commands of Envoy 1.40 (Envoy docs: "Command operators") that need arguments in parentheses. */
const withArguments: ReadonlySet<string> = new Set([
  "REQ", "RESP", "TRAILER", "REQ_WITHOUT_QUERY", "DYNAMIC_METADATA", "CLUSTER_METADATA", "UPSTREAM_METADATA",
  "FILTER_STATE", "METADATA", "ENVIRONMENT", "QUERY_PARAM", "START_TIME", "DOWNSTREAM_PEER_CERT_V_START",
  "DOWNSTREAM_PEER_CERT_V_END",
]); // biome-ignore format: a list to be searched, not read line by line

/** Commands that stand alone. */
const plain: ReadonlySet<string> = new Set([
  "START_TIME", "PROTOCOL", "UPSTREAM_PROTOCOL", "RESPONSE_CODE", "RESPONSE_CODE_DETAILS", "RESPONSE_FLAGS",
  "RESPONSE_FLAGS_LONG", "ROUTE_NAME", "VIRTUAL_CLUSTER_NAME", "UPSTREAM_HOST", "UPSTREAM_HOST_NAME",
  "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW", "UPSTREAM_LOCAL_ADDRESS", "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
  "UPSTREAM_LOCAL_PORT", "UPSTREAM_REMOTE_ADDRESS", "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "UPSTREAM_REMOTE_PORT",
  "UPSTREAM_REQUEST_ATTEMPT_COUNT", "UPSTREAM_TLS_VERSION", "UPSTREAM_TLS_CIPHER", "DOWNSTREAM_REMOTE_ADDRESS",
  "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_REMOTE_PORT", "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
  "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_DIRECT_REMOTE_PORT", "DOWNSTREAM_LOCAL_ADDRESS",
  "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_LOCAL_PORT", "DOWNSTREAM_LOCAL_URI_SAN",
  "DOWNSTREAM_LOCAL_DNS_SAN", "DOWNSTREAM_LOCAL_IP_SAN", "DOWNSTREAM_LOCAL_SUBJECT", "DOWNSTREAM_PEER_URI_SAN",
  "DOWNSTREAM_PEER_DNS_SAN", "DOWNSTREAM_PEER_IP_SAN", "DOWNSTREAM_PEER_EMAIL_SAN", "DOWNSTREAM_PEER_SUBJECT",
  "DOWNSTREAM_PEER_ISSUER", "DOWNSTREAM_PEER_SERIAL", "DOWNSTREAM_PEER_FINGERPRINT_256",
  "DOWNSTREAM_PEER_FINGERPRINT_1", "DOWNSTREAM_PEER_CERT", "DOWNSTREAM_PEER_CERT_V_START",
  "DOWNSTREAM_PEER_CERT_V_END", "DOWNSTREAM_TLS_SESSION_ID", "DOWNSTREAM_TLS_CIPHER", "DOWNSTREAM_TLS_VERSION",
  "TLS_JA3_FINGERPRINT", "TLS_JA4_FINGERPRINT",
  "REQUESTED_SERVER_NAME", "HOSTNAME", "CONNECTION_ID", "STREAM_ID", "REQUEST_DURATION", "RESPONSE_DURATION",
  "DURATION", "BYTES_RECEIVED", "BYTES_SENT", "GRPC_STATUS", "GRPC_STATUS_NUMBER", "TRACE_ID",
]); // biome-ignore format: as above
