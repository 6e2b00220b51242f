import type { ConfigSource } from "./generated/envoy/config/core/v3/config_source.ts";
import { ApiVersion } from "./generated/envoy/config/core/v3/config_source.ts";

/**
 * The one ConfigSource in every resource that points to another. Its bytes may never change: Envoy keys its SDS providers by
 * the hash of this message, and a changed one would fetch every secret anew.
 */
export const adsConfigSource: ConfigSource = { ads: {}, resourceApiVersion: ApiVersion.V3 };
