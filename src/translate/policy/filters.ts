import { pack } from "../../envoy/any.ts";
import { Brotli } from "../../envoy/generated/envoy/extensions/compression/brotli/compressor/v3/brotli.ts";
import { Gzip } from "../../envoy/generated/envoy/extensions/compression/gzip/compressor/v3/gzip.ts";
import { Zstd } from "../../envoy/generated/envoy/extensions/compression/zstd/compressor/v3/zstd.ts";
import { BandwidthLimit } from "../../envoy/generated/envoy/extensions/filters/http/bandwidth_limit/v3/bandwidth_limit.ts";
import { Buffer as BufferFilter } from "../../envoy/generated/envoy/extensions/filters/http/buffer/v3/buffer.ts";
import { CustomResponse } from "../../envoy/generated/envoy/extensions/filters/http/custom_response/v3/custom_response.ts";
import { HTTPFault } from "../../envoy/generated/envoy/extensions/filters/http/fault/v3/fault.ts";
import { LocalRateLimit } from "../../envoy/generated/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.ts";
import type { HttpFilter } from "../../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { placeFor } from "../whole-filter.ts";

/** Filters that policies turn on for routes. What stands behind a filter's usual name tells apart several of a kind. */
export const policyFilterNames = {
  customResponse: "envoy.filters.http.custom_response",
  fault: "envoy.filters.http.fault",
  buffer: "envoy.filters.http.buffer",
  localRateLimit: "envoy.filters.http.local_ratelimit",
  admissionControl: "envoy.filters.http.admission_control",
  requestBandwidth: "envoy.filters.http.bandwidth_limit/request",
  responseBandwidth: "envoy.filters.http.bandwidth_limit/response",
} as const;

type Compression = "Gzip" | "Brotli" | "Zstd";

export function compressorName(type: Compression): string {
  return `envoy.filters.http.compressor/${type.toLowerCase()}`;
}

export const compressorLibraries = {
  Gzip: { name: "envoy.compression.gzip.compressor", typedConfig: pack(Gzip, {}) },
  Brotli: { name: "envoy.compression.brotli.compressor", typedConfig: pack(Brotli, {}) },
  Zstd: { name: "envoy.compression.zstd.compressor", typedConfig: pack(Zstd, {}) },
} as const;

/** Of a filter that is off: what Envoy wants to be told all the same. */
const SOME_BYTES = 1;

/** Disabled, as they stand in every listener; in the usual order of those of a kind. */
export const policyFilters: readonly HttpFilter[] = [
  { name: policyFilterNames.customResponse, typedConfig: pack(CustomResponse, {}), disabled: true },
  { name: policyFilterNames.fault, typedConfig: pack(HTTPFault, {}), disabled: true },
  { name: policyFilterNames.buffer, typedConfig: pack(BufferFilter, { maxRequestBytes: SOME_BYTES }), disabled: true },
  {
    name: policyFilterNames.localRateLimit,
    typedConfig: pack(LocalRateLimit, { statPrefix: "http_local_rate_limiter" }),
    disabled: true,
  },
  placeFor(policyFilterNames.admissionControl),
  {
    name: policyFilterNames.requestBandwidth,
    typedConfig: pack(BandwidthLimit, { statPrefix: "request" }),
    disabled: true,
  },
  {
    name: policyFilterNames.responseBandwidth,
    typedConfig: pack(BandwidthLimit, { statPrefix: "response" }),
    disabled: true,
  },
  // The first that a client takes is the last in the chain, which sees the answer first.
  ...(["Zstd", "Brotli", "Gzip"] as const).map((type) => placeFor(compressorName(type))),
];
