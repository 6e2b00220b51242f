import type { IService } from "kubernetes-models/v1";
import { type AddressPlan, createAddressPool } from "./addresses.ts";
import type { Rest } from "./rest.ts";
import { watchObjects } from "./watch.ts";

export interface LoadBalancerOptions {
  /** Services of these `spec.loadBalancerClass` are served beside those without a class. */
  readonly classes?: readonly string[];
}

/**
 * Gives each Service of type LoadBalancer an address of its own and writes it into the status; kube-proxy does the rest, because
 * it takes packets for every address in `status.loadBalancer.ingress`. `spec.loadBalancerIP` is honoured when it is free and
 * inside of the range; otherwise the Service stays without an address, as it would with a real one, and `spec.externalIPs` need
 * nobody but kube-proxy.
 */
export function startLoadBalancer(rest: Rest, plan: AddressPlan, options: LoadBalancerOptions = {}): { stop(): void } {
  const pool = createAddressPool(plan.loadBalancerRange);
  const assigned = new Map<string, string>();

  const release = (uid: string) => {
    const address = assigned.get(uid);
    if (address !== undefined) pool.release(address);
    assigned.delete(uid);
  };

  const serves = ({ spec, metadata }: IService) =>
    spec?.type === "LoadBalancer" &&
    metadata?.deletionTimestamp === undefined &&
    (spec.loadBalancerClass === undefined || (options.classes ?? []).includes(spec.loadBalancerClass));

  /** The address that the Service should have, or undefined when it can have none. */
  const addressFor = (uid: string, wanted: string | undefined): string | undefined => {
    const current = assigned.get(uid);
    if (current !== undefined && (wanted === undefined || wanted === current)) return current;
    release(uid);
    if (wanted !== undefined && !pool.claim(wanted)) return undefined;
    const address = wanted ?? pool.take();
    assigned.set(uid, address);
    return address;
  };

  const onSet = (service: IService) => {
    const uid = service.metadata?.uid ?? "";
    const before = assigned.get(uid);
    settle(service, uid);
    if (before !== undefined && assigned.get(uid) !== before) settleWaiting();
  };

  const settle = (service: IService, uid: string) => {
    const published = service.status?.loadBalancer?.ingress?.[0]?.ip;
    if (!serves(service)) {
      release(uid);
      // What another implementation wrote is not ours to remove.
      if (published !== undefined && service.spec?.type !== "LoadBalancer") writeStatus(rest, service, undefined);
      return;
    }
    const wanted = service.spec?.loadBalancerIP || undefined;
    const address = addressFor(uid, wanted);
    if (address !== published) writeStatus(rest, service, address);
  };

  /** An address that is free now may be what another Service asked for. */
  const settleWaiting = () => {
    for (const waiting of services.all()) {
      const uid = waiting.metadata?.uid ?? "";
      if (serves(waiting) && !assigned.has(uid)) settle(waiting, uid);
    }
  };

  const services = watchObjects<IService>(rest, "/api/v1/services", {
    onSet,
    onDelete: ({ metadata }) => {
      release(metadata?.uid ?? "");
      settleWaiting();
    },
  });
  return { stop: () => services.stop() };
}

const WRITE_ATTEMPTS = 20;
const RETRY_MS = 500;

function writeStatus(rest: Rest, { metadata }: IService, address: string | undefined, attempt = 1): void {
  const path = `/api/v1/namespaces/${metadata?.namespace}/services/${metadata?.name}/status`;
  const ingress = address === undefined ? null : [{ ip: address, ipMode: "VIP" }];
  const body = { metadata: { uid: metadata?.uid }, status: { loadBalancer: { ingress } } };
  rest.ask(path, { method: "PATCH", body, contentType: "application/merge-patch+json" }).then(
    ({ status, body: answer }) => {
      // Gone, or another one of that name by now.
      if (status >= 400 && status !== 404 && status !== 409) console.error(`load balancer: ${path}: ${answer}`);
    },
    () =>
      attempt < WRITE_ATTEMPTS &&
      setTimeout(() => writeStatus(rest, { metadata } as IService, address, attempt + 1), RETRY_MS),
  );
}
