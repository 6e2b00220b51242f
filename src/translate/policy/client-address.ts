import type { ClientTrafficSettings } from "../../attach/client-traffic.ts";
import { pack } from "../../envoy/any.ts";
import type { HttpConnectionManager } from "../../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { CustomHeaderConfig } from "../../envoy/generated/envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header.ts";
import { XffConfig } from "../../envoy/generated/envoy/extensions/http/original_ip_detection/xff/v3/xff.ts";
import { StatusCode } from "../../envoy/generated/envoy/type/v3/http_status.ts";

type Detection = NonNullable<ClientTrafficSettings["clientIPDetection"]>;

/**
 * Where the address of the client is taken from. The peer of the connection and the hops before it are Envoy's own rules
 * (`use_remote_address`); ranges and headers are extensions, which Envoy takes without those only.
 */
export function buildClientAddress({ xForwardedFor, customHeader }: Detection): HttpConnectionManager {
  if (customHeader !== undefined) {
    const { name, failClosed } = customHeader;
    const config: CustomHeaderConfig = {
      headerName: name,
      allowExtensionToSetAddressAsTrusted: true,
      ...(failClosed && { rejectWithStatus: { code: StatusCode.Forbidden } }),
    };
    return {
      useRemoteAddress: false,
      originalIpDetectionExtensions: [
        {
          name: "envoy.http.original_ip_detection.custom_header",
          typedConfig: pack(CustomHeaderConfig, config),
        },
      ],
    };
  }
  const skipXffAppend = xForwardedFor?.disableXForwardedForAppend ?? false;
  if (xForwardedFor?.trustedCIDRs !== undefined) {
    const cidrs = xForwardedFor.trustedCIDRs.map((range) => {
      const [addressPrefix = "", length] = range.split("/");
      return { addressPrefix, prefixLen: Number(length) };
    });
    return {
      useRemoteAddress: false,
      originalIpDetectionExtensions: [
        {
          name: "envoy.http.original_ip_detection.xff",
          typedConfig: pack(XffConfig, { xffTrustedCidrs: { cidrs }, skipXffAppend }),
        },
      ],
    };
  }
  return {
    useRemoteAddress: true,
    ...(xForwardedFor?.numTrustedHops !== undefined && { xffNumTrustedHops: xForwardedFor.numTrustedHops }),
    ...(skipXffAppend && { skipXffAppend }),
  };
}
