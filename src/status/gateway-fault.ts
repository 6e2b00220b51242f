import { isSameAddress } from "../attach/address.ts";
import type { ListenerReport } from "../pipeline/listener-reports.ts";

/** Why nothing of a Gateway is served, neither its own listeners nor those of its ListenerSets. */
export interface GatewayFault {
  readonly reason: string;
  readonly message: string;
}

/** What is wrong with the Gateway as a whole, whatever its listeners come to. */
export function findGatewayFault(report: ListenerReport): GatewayFault | undefined {
  const { plan, connected, addresses, waits = {} } = report;
  if (plan.problems.length > 0) {
    return {
      reason: "Invalid",
      message: "What the Gateway asks for cannot be had, so what runs is as it was before; see the other conditions",
    };
  }
  if (report.fault?.ofAddresses) {
    const message = `Addresses that are asked for cannot be had: ${report.fault.text}; write others into spec.addresses, or none for any`;
    return { reason: "AddressNotUsable", message };
  }
  if (report.fault !== undefined) {
    const message = `What runs the Gateway cannot be written as asked: ${report.fault.text}; mend the EnvoyProxy or what stands in its way`;
    return { reason: "NoResources", message };
  }
  if (waits.pods !== undefined) {
    return { reason: "NoResources", message: `No pod of Envoy is ready: ${waits.pods}` };
  }
  if (connected === 0) {
    return {
      reason: "NoResources",
      message: "No Envoy of this Gateway is connected, so nothing is known to be served",
    };
  }
  const missing = findMissingAddresses(report);
  if (missing !== undefined) return { reason: "AddressNotUsable", message: missing };
  if (addresses.length === 0) {
    const why = waits.address === undefined ? "" : `: ${waits.address}`;
    return { reason: "AddressNotAssigned", message: `The Gateway has no address yet${why}` };
  }
  return undefined;
}

/** Addresses that are asked for and that nobody has given; on a host Envoy binds the address itself, and says when it cannot. */
function findMissingAddresses({ plan, addresses, waits }: ListenerReport): string | undefined {
  if (plan.bindAddress !== undefined) return undefined;
  const given = addresses.map(({ value }) => value);
  const missing = plan.addresses.filter((wanted) => !given.some((value) => isSameAddress(value, wanted)));
  if (missing.length === 0) return undefined;
  const asked = missing.length === 1 ? `Address ${missing[0]} is` : `Addresses ${missing.join(", ")} are`;
  const instead = given.length > 0 ? `it has ${given.join(", ")}` : (waits?.address ?? "it has none yet");
  return `${asked} asked for and not given to the Gateway (${instead}); ask for one that can be had, or for none to get any`;
}
