import { isIP } from "node:net";
import type { FieldPath, FieldProblem } from "./field.ts";
import type { Gateway, GatewayListener, ListenerSet } from "./gateway-api.ts";

/**
 * What the CEL rules of the CRDs of Gateway and ListenerSet demand and the generated validators do not know, for objects that passed those and
 * have their defaults. Sources: the field documentation of Gateway API v1.6.
 */

/** Collects problems of one object. */
export type Report = (path: FieldPath, message: string) => void;

/** Reports every item whose identity an earlier item has. An undefined identity is unlike any other. */
export function reportRepeated<T>(
  items: readonly T[] | undefined,
  path: FieldPath,
  identity: (item: T) => string | undefined,
  message: (first: number) => string,
  report: Report,
): void {
  const seen = new Map<string, number>();
  for (const [index, item] of (items ?? []).entries()) {
    const id = identity(item);
    if (id === undefined) continue;
    const first = seen.get(id);
    if (first === undefined) seen.set(id, index);
    else report([...path, index], message(first));
  }
}

export function checkGateway({ spec }: Gateway): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  checkListeners(spec.listeners, report);
  checkAddresses(spec, report);
  reportRepeated(
    spec.tls?.frontend?.perPort,
    ["spec", "tls", "frontend", "perPort"],
    (entry) => String(entry.port),
    (first) => `is for the same port as item ${first}`,
    report,
  );
  return problems;
}

export function checkListenerSet({ spec }: ListenerSet): FieldProblem[] {
  const problems: FieldProblem[] = [];
  checkListeners(spec.listeners, (path, message) => problems.push({ path, message }));
  return problems;
}

/** The rules are the same for a Gateway's own listeners and for those of a ListenerSet. */
function checkListeners(listeners: readonly GatewayListener[], report: Report): void {
  const path: FieldPath = ["spec", "listeners"];
  reportRepeated(
    listeners,
    path,
    (listener) => listener.name,
    (first) => `has the name of listener ${first}: names of listeners must differ`,
    report,
  );
  reportRepeated(
    listeners,
    path,
    (listener) => `${listener.port} ${listener.protocol} ${listener.hostname ?? ""}`,
    (first) => `has the port, protocol and hostname of listener ${first}: change one of them or remove one listener`,
    report,
  );
  for (const [index, listener] of listeners.entries()) checkListener(listener, [...path, index], report);
}

function checkListener({ protocol, hostname, tls }: GatewayListener, path: FieldPath, report: Report): void {
  const withoutTls = protocol === "HTTP" || protocol === "TCP" || protocol === "UDP";
  if (tls && withoutTls)
    report([...path, "tls"], `is not possible with protocol ${protocol}: use HTTPS or TLS, or leave it out`);
  if (hostname && (protocol === "TCP" || protocol === "UDP")) {
    report([...path, "hostname"], `is not possible with protocol ${protocol}, which carries no host names`);
  }
  if (protocol === "HTTPS" && tls && tls.mode !== "Terminate") {
    report(
      [...path, "tls", "mode"],
      "must be Terminate with protocol HTTPS: use protocol TLS to pass connections through",
    );
  }
  if (protocol === "TLS" && !tls) report([...path, "tls"], "is required with protocol TLS");
  if (tls?.mode === "Terminate" && !tls.certificateRefs?.length && !Object.keys(tls.options ?? {}).length) {
    report([...path, "tls", "certificateRefs"], "must name at least one certificate to terminate TLS with");
  }
}

function checkAddresses(spec: Gateway["spec"], report: Report): void {
  const path: FieldPath = ["spec", "addresses"];
  for (const [index, address] of (spec.addresses ?? []).entries()) {
    const { value } = address;
    if (value === undefined || value === "") continue;
    if (address.type === "IPAddress" && isIP(value) === 0) {
      report([...path, index, "value"], `must be an IPv4 or IPv6 address (it is ${JSON.stringify(value)})`);
    }
    if (address.type === "Hostname" && isIP(value) !== 0) {
      report([...path, index, "value"], "is an IP address: set type to IPAddress");
    }
  }
  reportRepeated(
    spec.addresses,
    path,
    (address) => (address.value ? `${address.type} ${address.value}` : undefined),
    (first) => `repeats address ${first}`,
    report,
  );
}
