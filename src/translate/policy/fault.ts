import type { RouteTraffic } from "../../attach/backend-traffic.ts";
import { type Any, pack } from "../../envoy/any.ts";
import { HTTPFault } from "../../envoy/generated/envoy/extensions/filters/http/fault/v3/fault.ts";
import {
  type FractionalPercent,
  FractionalPercent_DenominatorType,
} from "../../envoy/generated/envoy/type/v3/percent.ts";
import { parseDuration, toDuration } from "../duration.ts";

const CERTAIN_PERCENT = 100;
const MILLION = 1_000_000;

function toFraction(percent: number = CERTAIN_PERCENT): FractionalPercent {
  const numerator = Math.round((percent / CERTAIN_PERCENT) * MILLION);
  return { numerator, denominator: FractionalPercent_DenominatorType.MILLION };
}

export function injectFault({ delay, abort }: NonNullable<RouteTraffic["faultInjection"]>): Any {
  return pack(HTTPFault, {
    ...(delay && {
      delay: { fixedDelay: toDuration(parseDuration(delay.fixedDelay) ?? 0), percentage: toFraction(delay.percentage) },
    }),
    ...(abort && {
      abort: {
        ...(abort.httpStatus !== undefined && { httpStatus: abort.httpStatus }),
        ...(abort.grpcStatus !== undefined && { grpcStatus: abort.grpcStatus }),
        percentage: toFraction(abort.percentage),
      },
    }),
  });
}
