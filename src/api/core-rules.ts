import { isIPv4, isIPv6 } from "node:net";
import type { EndpointSlice, Namespace, Secret, Service } from "./core.ts";
import type { FieldPath, FieldProblem } from "./field.ts";
import { type Report, reportRepeated } from "./gateway-rules.ts";

/** What an API server checks and fills in for Kubernetes kinds beyond their schema, as far as Gatehouse depends on it. */

const MAX_PORT = 65535;

function checkPort(port: unknown, path: FieldPath, report: Report): void {
  if (typeof port === "number" && (port < 1 || port > MAX_PORT))
    report(path, `must be from 1 to ${MAX_PORT} (it is ${port})`);
}

export function checkService({ spec }: Service): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  const path: FieldPath = ["spec", "ports"];
  const ports = spec?.ports ?? [];
  for (const [index, port] of ports.entries()) {
    checkPort(port.port, [...path, index, "port"], report);
    checkPort(port.targetPort, [...path, index, "targetPort"], report);
    if (ports.length > 1 && !port.name)
      report([...path, index, "name"], "is required when a Service has several ports");
  }
  reportRepeated(
    ports,
    path,
    (port) => port.name || undefined,
    (first) => `has the name of port ${first}: names of ports must differ`,
    report,
  );
  reportRepeated(
    ports,
    path,
    (port) => `${port.protocol} ${port.port}`,
    (first) => `has the number and protocol of port ${first}`,
    report,
  );
  return problems;
}

/** An absent targetPort is the port itself. */
export function completeService(service: Service): Service {
  for (const port of service.spec?.ports ?? []) port.targetPort ??= port.port;
  return service;
}

export function checkEndpointSlice(slice: EndpointSlice): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const report: Report = (path, message) => problems.push({ path, message });
  const valid = { IPv4: isIPv4, IPv6: isIPv6, FQDN: () => true }[slice.addressType as string];
  if (valid === undefined) report(["addressType"], "must be one of IPv4, IPv6, FQDN");
  for (const [index, endpoint] of (slice.endpoints ?? []).entries()) {
    for (const [position, address] of endpoint.addresses.entries()) {
      if (valid && !valid(address)) {
        report(
          ["endpoints", index, "addresses", position],
          `must be an address of type ${slice.addressType} (it is ${JSON.stringify(address)})`,
        );
      }
    }
  }
  for (const [index, port] of (slice.ports ?? []).entries()) checkPort(port.port, ["ports", index, "port"], report);
  reportRepeated(
    slice.ports,
    ["ports"],
    (port) => port.name ?? "",
    (first) => `has the name of port ${first}: names of ports must differ`,
    report,
  );
  return problems;
}

/** `stringData` is a way of writing `data`: it wins over the same key there and is gone when the object is read. */
export function completeSecret({ stringData, ...secret }: Secret): Secret {
  if (stringData === undefined) return secret;
  const data = { ...secret.data };
  for (const [key, value] of Object.entries(stringData)) data[key] = Buffer.from(value, "utf8").toString("base64");
  return { ...secret, data };
}

/** Every namespace carries its name as a label, so that selectors can choose it. */
export function completeNamespace(namespace: Namespace): Namespace {
  const { metadata } = namespace;
  const labels = { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name };
  return { ...namespace, metadata: { ...metadata, labels } };
}
