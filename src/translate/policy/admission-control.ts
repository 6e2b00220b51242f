import type { RouteTraffic } from "../../attach/backend-traffic.ts";
import { type Any, pack } from "../../envoy/any.ts";
import {
  AdmissionControl,
  type AdmissionControl_SuccessCriteria,
} from "../../envoy/generated/envoy/extensions/filters/http/admission_control/v3/admission_control.ts";
import { parseDuration, toDuration } from "../duration.ts";

type Settings = NonNullable<RouteTraffic["admissionControl"]>;
type GrpcStatus = NonNullable<NonNullable<NonNullable<Settings["successCriteria"]>["grpc"]>["statusCodes"]>[number];

/** In the order of their numbers (gRPC, "Status codes and their use in gRPC"). */
const grpcStatuses: readonly GrpcStatus[] = [
  ...(["Ok", "Cancelled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists"] as const),
  ...([
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
  ] as const),
  ...(["Internal", "Unavailable", "DataLoss", "Unauthenticated"] as const),
];

/** Envoy wants a name under which a runtime could change a value; we give none a value. */
const runtimeKey = (field: string) => `gatehouse.admission_control.${field}`;

/** Turns requests away before they reach a backend that fails. What is not said is as Envoy has it. */
export function controlAdmission(settings: Settings): Any {
  const { minSuccessRate, minRequestRate, maxRejectionPercent, rejectionAggression, samplingWindow } = settings;
  const window = parseDuration(samplingWindow);
  return pack(AdmissionControl, {
    successCriteria: succeeding(settings.successCriteria),
    ...(window !== undefined && { samplingWindow: toDuration(window) }),
    ...(rejectionAggression !== undefined && {
      aggression: { defaultValue: rejectionAggression, runtimeKey: runtimeKey("aggression") },
    }),
    ...(minSuccessRate !== undefined && {
      srThreshold: { defaultValue: { value: minSuccessRate }, runtimeKey: runtimeKey("sr_threshold") },
    }),
    ...(minRequestRate !== undefined && {
      rpsThreshold: { defaultValue: minRequestRate, runtimeKey: runtimeKey("rps_threshold") },
    }),
    ...(maxRejectionPercent !== undefined && {
      maxRejectionProbability: {
        defaultValue: { value: maxRejectionPercent },
        runtimeKey: runtimeKey("max_rejection_probability"),
      },
    }),
  });
}

function succeeding(criteria: Settings["successCriteria"]): AdmissionControl_SuccessCriteria {
  const statuses = criteria?.http?.statusCodes ?? [];
  const grpc = criteria?.grpc?.statusCodes ?? [];
  return {
    ...(statuses.length > 0 && {
      httpCriteria: { httpSuccessStatus: statuses.map((status) => ({ start: status, end: status + 1 })) },
    }),
    ...(grpc.length > 0 && {
      grpcCriteria: { grpcSuccessStatus: grpc.map((status) => grpcStatuses.indexOf(status)) },
    }),
  };
}
