import type { Backend } from "../harness/backend.ts";
import { createAuthority } from "../harness/certificates.ts";
import { startGrpcBackend } from "../harness/grpc.ts";
import { gatewayYaml, joinDocuments, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { createWorld, type World } from "./world.ts";

/** One Gatehouse and one Envoy that serve all traffic cases at once. */
export interface TrafficWorld extends World {
  readonly httpsPort: number;
  /** By name: Services of port 80 lead to them. */
  readonly backends: ReadonlyMap<string, Backend>;
  /** By placeholder, see `traffic-cases.ts`. */
  readonly ports: ReadonlyMap<string, number>;
}

/**
 * A Service with one port and no selector, and the EndpointSlices that its author would write for it, one a port number.
 *
 * @param fields further fields of the Service's port
 * @param zones of the endpoints, in the order of the ports
 */
export function serviceObjects(
  name: string,
  ports: readonly number[],
  fields: object = {},
  zones: readonly string[] = [],
): object[] {
  const slices = ports.map((port, index) => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-${index}`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], ...(zones[index] && { zone: zones[index] }) }],
    ports: [{ port }],
  }));
  return [
    { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { ports: [{ port: 80, ...fields }] } },
    ...slices,
  ];
}

export function toYaml(objects: readonly object[]): string {
  // JSON is YAML, and what a test got wrong is found by its line.
  return objects.map((object) => JSON.stringify(object)).join("\n---\n");
}

/** What the gRPC servers serve. */
const grpcMethods = ["store.Orders/Get", "store.Orders/List", "store.Items/Get", "other.Orders/Get", "chat.Room/Talk"];

/**
 * Gateway `web` with the listeners `http`, `https`, and `bare` for `*.bare.example.net` on the port of `http`. Services of port 80: `one`, `two` and `three` echo, `h2c` does so in
 * HTTP/2, `grpc-one` and `grpc-two` serve gRPC, `closed` refuses connections, `empty` has no endpoints. TLS servers, for Backends: `tls` with a certificate for
 * `tls.example.org`, `*.example.com` and `spiffe://example.org/tls`, `mtls` that asks for one in return. ConfigMaps `authority` (theirs) and
 * `other-authority`, Secret `client` with a certificate that `mtls` takes.
 */
export async function startTrafficWorld(): Promise<TrafficWorld> {
  const world = await createWorld();
  const [httpsPort, closedPort] = [await freePort(), await freePort()];
  const [authority, otherAuthority] = [createAuthority(), createAuthority("other authority")];
  const keyPair = authority.issue({
    dnsNames: ["tls.example.org", "*.example.com"],
    uris: ["spiffe://example.org/tls"],
  });
  const started = await Promise.all([
    ...["one", "two", "three"].map((name) => world.backend(name)),
    world.backend("h2c", { protocol: "h2c" }),
    world.backend("tls", { protocol: "tls", keyPair }),
    world.backend("mtls", { protocol: "tls", keyPair, clientAuthority: authority.certificate }),
  ]);
  const backends = new Map(started.map((backend) => [backend.name, backend]));
  const grpcBackends = await Promise.all(["grpc-one", "grpc-two"].map((name) => startGrpcBackend(name, grpcMethods)));
  const portOf = (name: string) => backends.get(name)?.port ?? 0;
  const listener = (name: string, protocol: string, port: number, rest = "") =>
    `{name: ${name}, protocol: ${protocol}, port: ${port}, allowedRoutes: {namespaces: {from: All}}${rest}}`;
  const listeners = [
    listener("http", "HTTP", world.port),
    listener("bare", "HTTP", world.port, ', hostname: "*.bare.example.net"'),
    listener("https", "HTTPS", httpsPort, ", tls: {certificateRefs: [{name: wildcard}]}"),
  ];
  world.files.writeAtomically(
    "gateway.yaml",
    joinDocuments(
      gatewayYaml({ name: "web", listeners: `[${listeners.join(", ")}]` }),
      tlsSecretYaml({ name: "wildcard", ...keyPair }),
      tlsSecretYaml({ name: "client", ...authority.issue({ dnsNames: ["client.example.org"] }) }),
    ),
  );
  const services = [
    ...["one", "two", "three"].flatMap((name) => serviceObjects(name, [portOf(name)])),
    ...serviceObjects("h2c", [portOf("h2c")], { appProtocol: "kubernetes.io/h2c" }),
    ...grpcBackends.flatMap(({ name, port }) => serviceObjects(name, [port])),
    ...serviceObjects("closed", [closedPort]),
    ...serviceObjects("empty", []),
    authorityObject("authority", authority),
    authorityObject("other-authority", otherAuthority),
  ];
  world.files.writeAtomically("services.yaml", toYaml(services));
  const ports = new Map<string, number>([
    ["PORT", world.port],
    ["HTTPS_PORT", httpsPort],
    ["PORT_OF_closed", closedPort],
  ]);
  for (const { name, port } of [...started, ...grpcBackends]) ports.set(`PORT_OF_${name}`, port);
  const stop = async () => {
    for (const backend of grpcBackends) backend.stop();
    await world.stop();
  };
  return { ...world, httpsPort, backends, ports, stop };
}

function authorityObject(name: string, { certificate }: { readonly certificate: string }): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { "ca.crt": certificate } };
}
