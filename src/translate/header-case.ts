import { pack } from "../envoy/any.ts";
import type { Http1ProtocolOptions } from "../envoy/generated/envoy/config/core/v3/protocol.ts";
import { PreserveCaseFormatterConfig } from "../envoy/generated/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case.ts";

/**
 * Names of headers as they were read. Of requests Envoy remembers it where clients are read from, of answers where backends are, and each
 * is written as it was remembered. What Envoy adds itself stays in lower case.
 */
export const keepHeaderCase: Http1ProtocolOptions = {
  headerKeyFormat: {
    statefulFormatter: {
      name: "envoy.http.stateful_header_formatters.preserve_case",
      typedConfig: pack(PreserveCaseFormatterConfig, {}),
    },
  },
};
