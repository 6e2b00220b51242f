import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import type { BackendTrafficSettings } from "./backend-traffic.ts";
import { findHeaderNameFault } from "./header-syntax.ts";

/** `telemetry.tracing` of a BackendTrafficPolicy. */
export type TracedTraffic = NonNullable<NonNullable<BackendTrafficSettings["telemetry"]>["tracing"]>;

type ProxyTracing = NonNullable<NonNullable<EnvoyProxySpec["telemetry"]>["tracing"]>;

/** Which requests an EnvoyProxy has traced, in the terms of policies. */
export type Sampling = Pick<TracedTraffic, "samplingFraction" | "clientSamplingFraction" | "overallSamplingFraction">;

/** What a policy leaves out is as here. Undefined: as usual. */
export function planSampling(tracing: ProxyTracing | undefined): Sampling | undefined {
  if (tracing === undefined) return undefined;
  const { samplingRate, clientSamplingFraction, overallSamplingFraction } = tracing;
  const samplingFraction =
    tracing.samplingFraction ?? (samplingRate === undefined ? undefined : { numerator: samplingRate });
  const sampling = {
    ...(samplingFraction && { samplingFraction }),
    ...(clientSamplingFraction && { clientSamplingFraction }),
    ...(overallSamplingFraction && { overallSamplingFraction }),
  };
  return Object.keys(sampling).length === 0 ? undefined : sampling;
}

/** Tags that Envoy would refuse. Of formats Envoy itself judges: the route is held back, and its status says why. */
export function judgeTracedTraffic(
  { customTags = {}, tags = {} }: TracedTraffic,
  report: (field: string, text: string) => void,
): void {
  const field = "telemetry.tracing";
  for (const [name, value] of Object.entries(tags)) {
    if (name === "") report(`${field}.tags`, "holds a tag without a name; write one");
    if (value === "") report(`${field}.tags`, `gives the tag ${name} no value; write one, or remove the tag`);
  }
  for (const [name, { type, literal, environment, requestHeader }] of Object.entries(customTags)) {
    const place = `${field}.customTags`;
    if (name === "") report(place, "holds a tag without a name; write one");
    if (tags[name] !== undefined) report(place, `holds the tag ${name}, as tags do; write it in one of the two`);
    if (type === "Literal" && !literal?.value) report(place, `gives the tag ${name} no literal value; write one`);
    if (type === "Environment" && !environment?.name) report(place, `names no variable for the tag ${name}; write one`);
    if (type !== "RequestHeader") continue;
    const fault = findHeaderNameFault(requestHeader?.name ?? "");
    if (fault) report(`${place}.${name}.requestHeader.name`, fault);
  }
}
