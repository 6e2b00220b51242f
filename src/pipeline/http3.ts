import type { ClientPort, ClientPortFinding } from "../attach/client-traffic-ports.ts";
import { judgeHttp3 } from "../attach/http3.ts";
import { familyOf } from "../attach/listener-protocol.ts";
import { type GatewayPlan, type ListenerCertificates, type ListenerPlan, listenerKey } from "../attach/model.ts";
import { quicName } from "../attach/resource-names.ts";
import type { FleetKey } from "../base/keys.ts";
import type { Collection, Graph, Index, Reader } from "../dataflow/graph.ts";
import type { FleetPort, ServedListener } from "./listeners.ts";
import { readSettings, type Sources } from "./sources.ts";

/** A port at which listeners are served over HTTP/3 beside what is served over TCP. */
export interface Http3Port extends FleetPort {
  /** Of policies that ask for it in vain. */
  readonly findings: readonly ClientPortFinding[];
}

export interface Http3Nodes {
  /** Key: name of the Envoy Listener of TCP. What does not serve has no listeners. */
  readonly ports: Collection<Http3Port>;
  /** Group: fleet. Those that serve. */
  readonly portsByFleet: Index<Http3Port>;
  /** Key: listener, those that are served so. */
  readonly served: Collection<ServedListener>;
  /** Key: route table. The port at which clients find the same over HTTP/3. */
  readonly alternatives: Collection<number>;
}

interface Http3Inputs {
  readonly plans: Collection<GatewayPlan>;
  readonly certificates: Collection<ListenerCertificates>;
  readonly ports: Collection<FleetPort>;
  readonly clientPorts: Collection<ClientPort>;
}

/**
 * HTTP/3 has an Envoy Listener of its own, and is announced by the route tables: the Listener of TCP stays as it is, and with it the
 * connections there. Nothing is computed where no policy asks for it.
 */
export function createHttp3Nodes(graph: Graph, sources: Sources, inputs: Http3Inputs): Http3Nodes {
  const { plans, certificates, clientPorts } = inputs;
  const datagramPorts = graph.index("datagramPorts", inputs.ports, ({ fleet, port }) =>
    familyOf(port.protocol) === "UDP" ? [placeOf(fleet, port.bindPort), placeOf("", port.bindPort)] : [],
  );
  const ports = graph.map("http3Ports", clientPorts, ({ http3: wishes }, name, read): Http3Port | undefined => {
    const place = read.get(inputs.ports, name);
    if (wishes === undefined || place === undefined) return undefined;
    const { port } = place;
    // On a host all fleets have their ports in common.
    const scope = readSettings(sources, read).hostInfrastructure ? "" : place.fleet;
    const datagrams = [...read.lookup(datagramPorts, placeOf(scope, port.bindPort)).values()].filter((other) =>
      sharesAddress(place, other),
    );
    const { listeners, findings } = judgeHttp3(port, wishes, {
      certificatesOf: (key) => read.get(certificates, key),
      datagramListeners: datagrams.flatMap((other) => other.port.listeners),
      listenersAt: ({ gateway, place: at }) => listenersAt(read, plans, gateway, at),
    });
    return { ...place, port: { ...port, name: quicName(port.name), listeners }, findings };
  });
  const portsByFleet = graph.index("http3PortsByFleet", ports, ({ fleet, port }) =>
    port.listeners.length > 0 ? [fleet] : [],
  );
  const served = graph.flatMap("http3Listeners", ports, ({ fleet, port: { name, bindPort, listeners } }) =>
    listeners.map((listener): [string, ServedListener] => [
      listenerKey(listener),
      { fleet, port: { name, bindPort }, listener },
    ]),
  );
  const alternatives = graph.flatMap(
    "http3Alternatives",
    ports,
    ({ port: { port, bindPort, listeners } }, _key, read) => {
      // As clients see it: that of the Service, or of the host.
      const seen = readSettings(sources, read).hostInfrastructure ? bindPort : port;
      return listeners.map(({ routeTable = "" }): [string, number] => [routeTable, seen]);
    },
  );
  return { ports, portsByFleet, served, alternatives };
}

function placeOf(scope: FleetKey, bindPort: number): string {
  return `${scope} ${bindPort}`;
}

function sharesAddress(a: FleetPort, b: FleetPort): boolean {
  return a.bindAddress === undefined || b.bindAddress === undefined || a.bindAddress === b.bindAddress;
}

function listenersAt(
  read: Reader,
  plans: Collection<GatewayPlan>,
  gateway: string,
  { kind, key }: ClientPortFinding["place"],
): readonly ListenerPlan[] {
  const { listeners = [] } = read.get(plans, gateway) ?? {};
  return kind === "ListenerSet" ? listeners.filter(({ listenerSet }) => listenerSet === key) : listeners;
}
