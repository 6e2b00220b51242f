import type { HTTPRouteFilter } from "../../api/gateway-api.ts";
import type { RouteAction_RequestMirrorPolicy } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import {
  type FractionalPercent,
  FractionalPercent_DenominatorType,
} from "../../envoy/generated/envoy/type/v3/percent.ts";

export type RequestMirror = NonNullable<HTTPRouteFilter["requestMirror"]>;

const MILLION = 1_000_000;
const DEFAULT_DENOMINATOR = 100;

/** Translates a RequestMirror filter (HTTPRequestMirrorFilter) whose backend is the cluster. */
export function mirrorRequests(filter: RequestMirror, cluster: string): RouteAction_RequestMirrorPolicy {
  const share = readShare(filter);
  return {
    cluster,
    ...(share === undefined ? {} : { runtimeFraction: { defaultValue: share } }),
    // The mirror is to see the request as the backend does, not with "-shadow" behind its host.
    disableShadowHostSuffixAppend: true,
  };
}

/** Undefined: all requests. Envoy knows three denominators only; any other fraction is rounded to millionths. */
function readShare({ percent, fraction }: RequestMirror): FractionalPercent | undefined {
  if (percent !== undefined) {
    return { numerator: percent, denominator: FractionalPercent_DenominatorType.HUNDRED };
  }
  if (fraction === undefined) return undefined;
  const denominator = fraction.denominator ?? DEFAULT_DENOMINATOR;
  const numerator = Math.round((fraction.numerator / denominator) * MILLION);
  return { numerator, denominator: FractionalPercent_DenominatorType.MILLION };
}
