import type { Readiness } from "../admin/readiness.ts";
import type { Settings } from "../attach/model.ts";
import { type ObjectKey, splitObjectKey } from "../base/keys.ts";
import type { Logger } from "../base/log.ts";
import { type Certificates, startCertificates } from "../certs/certificates.ts";
import { authorizeByCertificate } from "../certs/client-certificate.ts";
import { demandOf } from "../certs/demand.ts";
import { type ServerService, serverName } from "../certs/identity.ts";
import { authorizeByToken } from "../certs/service-account-token.ts";
import { podSockets } from "../envoy/pod-ports.ts";
import { startClusterInfrastructure } from "../infra/kubernetes/cluster-infrastructure.ts";
import { type ClusterEnvironment, ENVOY_IMAGE, podTls } from "../infra/kubernetes/environment.ts";
import { RATE_LIMIT_IMAGE } from "../infra/kubernetes/rate-limit.ts";
import type { KubeClient } from "../kube/client.ts";
import type { GatewayInfrastructure } from "../pipeline/infrastructure.ts";
import { createStatusWriter, type StatusWriter, type WrittenStatus } from "../status/writer.ts";
import type { Configuration } from "./config.ts";
import type { PodIdentity } from "./config-pod.ts";
import { type ControlPlane, type ControlPlaneOptions, createControlPlane } from "./control-plane.ts";
import { createLeaderInfrastructure, type LeaderInfrastructure } from "./leader-infrastructure.ts";
import { typeOfKind } from "./operator-input.ts";
import { deployRateLimit, describeRateLimit, rateLimitServiceOf } from "./operator-rate-limit.ts";
import { createOtherReplicas, type OtherReplicas } from "./other-replicas.ts";
import { createRefusedObjects, type RefusedObjects } from "./refused-objects.ts";
import { type ReturningGateways, watchReturns } from "./returning-gateways.ts";

export interface OperatorRun {
  readonly configuration: Configuration;
  readonly pod: PodIdentity;
  readonly kubeconfig: string | undefined;
  readonly controllerNames: readonly string[];
  /** Of this program, for the container that drains Envoy. */
  readonly image: string;
  readonly envoyImage: string | undefined;
  readonly rateLimitImage: string | undefined;
  readonly log: Logger;
}

/** Where Envoys find the xDS server: the port is Envoy Gateway's. */
export const XDS_PORT = 18_000;
/**
 * An Envoy that has lost its stream tries again within half a second, and within a second or two of the first failure: what took
 * longer is no longer on its way to another replica. A Gateway whose last Envoy dies is so long said to be programmed.
 */
const ABSENCE_MS = 10_000;

/** As stated in the readiness of the replica. */
export const CERTIFICATES = "the certificate of the xDS server";

/** What a replica consists of beside the shell that runs it. */
export interface OperatorParts {
  readonly control: ControlPlane;
  readonly writer: StatusWriter;
  readonly infrastructure: LeaderInfrastructure;
  readonly certificates: Certificates;
  readonly others: OtherReplicas;
  readonly returning: ReturningGateways;
  readonly refused: RefusedObjects;
}

export function assemble(
  run: OperatorRun,
  client: KubeClient,
  readiness: Readiness,
  onWritten: (write: WrittenStatus) => void,
): OperatorParts {
  const { configuration, pod, log } = run;
  const service: ServerService = { namespace: pod.namespace, name: pod.serviceName };
  const environment = describeEnvironment(run, service);
  const { inGatewayNamespace } = environment;
  const control = createControlPlane({
    settings: readSettings(run, environment),
    log,
    connections: configuration.xds,
    absenceMilliseconds: ABSENCE_MS,
    security: secureXds(client, environment, service, (gateway) => infrastructure.known.get(gateway)),
    onInfrastructure(changes) {
      infrastructure.wanted(changes);
      demandCertificates();
    },
    onStatuses(keys) {
      writer.changed(keys);
      // Their Gateway may have come or gone; hardly ever is there one.
      writer.changed(refused.keys());
    },
  });
  const refused = createRefusedObjects(control, run.controllerNames);
  const infrastructure = createLeaderInfrastructure(() => {
    const limits = deployRateLimit({
      client,
      configuration: configuration.rateLimit,
      environment,
      service,
      image: run.rateLimitImage ?? RATE_LIMIT_IMAGE,
      certificates: () => certificates,
      log: log.with({ component: "infrastructure" }),
    });
    const gateways = startClusterInfrastructure({
      client,
      environment,
      scope: configuration.watch,
      log: log.with({ component: "infrastructure" }),
      onState(gateway, state) {
        const { addresses, infrastructureFaults, infrastructureWaits } = control.pipeline.sources;
        if (state === undefined) addresses.delete(gateway);
        else addresses.set(gateway, state.addresses);
        if (state === undefined) infrastructureWaits.delete(gateway);
        else infrastructureWaits.set(gateway, state.waits);
        if (state?.fault === undefined) infrastructureFaults.delete(gateway);
        else infrastructureFaults.set(gateway, state.fault);
        control.pipeline.notify();
      },
    });
    return {
      ...gateways,
      async stop() {
        await Promise.all([limits.stop(), gateways.stop()]);
      },
    };
  });
  const writer = createStatusWriter({
    client,
    controllerNames: run.controllerNames,
    typeOf: typeOfKind,
    render: (key) => refused.status(key),
    log: log.with({ component: "status" }),
    onWritten,
    ...(configuration.clientRate && { limits: { rate: configuration.clientRate } }),
  });
  const others = createOtherReplicas({
    client,
    replicas: control.pipeline.replicas,
    service,
    podName: pod.podName,
    log: log.with({ component: "replicas" }),
  });
  const certificates = startCertificates({
    client,
    namespace: pod.namespace,
    issuer: pod.certificates,
    trustScope: inGatewayNamespace ? configuration.watch : { type: "Namespaces", namespaces: [pod.namespace] },
    log: log.with({ component: "certificates" }),
    onMaterial(material) {
      control.xds.setCertificates(material);
      others.setCertificates(material);
      readiness.arrived(CERTIFICATES);
    },
  });
  readiness.explain(CERTIFICATES, certificates.hindrance);
  const installation = {
    service,
    clusterDomain: pod.clusterDomain,
    inGatewayNamespace,
    ...(configuration.rateLimit && { rateLimit: rateLimitServiceOf(pod.namespace) }),
  };
  const demandCertificates = () => certificates.demand(demandOf(installation, [...infrastructure.known.keys()].sort()));
  demandCertificates();
  return { control, writer, infrastructure, certificates, others, returning: watchReturns(control), refused };
}

/** An Envoy shows the certificate of its Gateway or, beside its Gateway, the token of its pod; either way it gets that Gateway's alone. */
function secureXds(
  client: KubeClient,
  { namespace, inGatewayNamespace }: ClusterEnvironment,
  service: ServerService,
  find: (gateway: ObjectKey) => GatewayInfrastructure | undefined,
): NonNullable<ControlPlaneOptions["security"]> {
  if (!inGatewayNamespace) return { authorize: authorizeByCertificate(namespace), tls: { clientCertificates: true } };
  const serviceAccountOf = (gateway: ObjectKey) => {
    const infrastructure = find(gateway);
    const account = infrastructure?.settings.provider?.kubernetes?.envoyServiceAccount;
    return infrastructure && (account?.name ?? splitObjectKey(gateway).name);
  };
  const authorize = authorizeByToken({ client, audience: serverName(service), serviceAccountOf });
  return { authorize, tls: { clientCertificates: false } };
}

/** What objects mean where Envoy runs in pods. */
function readSettings({ configuration, controllerNames }: OperatorRun, environment: ClusterEnvironment): Settings {
  return {
    controllerNames,
    hostInfrastructure: false,
    guardedFolder: podSockets.folder,
    inGatewayNamespace: environment.inGatewayNamespace,
    privilegedPortOffset: 0,
    controlPlane: environment.controlPlane,
    backendsRefused: !configuration.backends,
    ...(configuration.rateLimit && { rateLimit: describeRateLimit(configuration.rateLimit, environment) }),
    ...(configuration.envoyProxy && { defaultProxy: configuration.envoyProxy }),
  };
}

function describeEnvironment(run: OperatorRun, service: ServerService): ClusterEnvironment {
  const { configuration, pod } = run;
  const name = serverName(service);
  const inGatewayNamespace = configuration.deploy === "GatewayNamespace";
  return {
    namespace: pod.namespace,
    inGatewayNamespace,
    clusterDomain: pod.clusterDomain,
    controlPlane: {
      address: { host: `${name}.${pod.clusterDomain}`, port: XDS_PORT },
      tls: podTls(name, inGatewayNamespace),
    },
    envoyImage: run.envoyImage ?? ENVOY_IMAGE,
    gatehouseImage: configuration.shutdownManagerImage ?? run.image,
  };
}
