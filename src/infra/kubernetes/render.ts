import type { IDaemonSet, IDeployment } from "kubernetes-models/apps/v1";
import type { IConfigMap, IServiceAccount } from "kubernetes-models/v1";
import type { KubeObject } from "../../kube/resource-type.ts";
import type { GatewayInfrastructure } from "../../pipeline/infrastructure.ts";
import { sdsFiles } from "../../translate/bootstrap-xds.ts";
import { renderAliases } from "./alias.ts";
import type { ClusterEnvironment } from "./environment.ts";
import { type Identity, identify, metadataOf } from "./identity.ts";
import { patchObject } from "./patch.ts";
import { renderPod } from "./pod.ts";
import { renderAutoscaler, renderDisruptionBudget } from "./scaling.ts";
import { renderService } from "./service.ts";

/** All objects that run a gateway's Envoys, in the order in which they are applied. Pure; never called for a held gateway. */
export function renderGateway(gateway: GatewayInfrastructure, environment: ClusterEnvironment): KubeObject[] {
  const identity = identify(gateway, environment);
  const { envoyServiceAccount, envoyDaemonSet } = gateway.settings.provider?.kubernetes ?? {};
  const accountName = envoyServiceAccount?.name ?? identity.name;
  const account: IServiceAccount = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: metadataOf(gateway, identity, { name: accountName }),
    automountServiceAccountToken: false,
  };
  const { tls } = environment.controlPlane;
  const files: IConfigMap | undefined = tls && {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: metadataOf(gateway, identity),
    data: { ...sdsFiles(tls) },
  };
  const workload =
    envoyDaemonSet === undefined
      ? renderDeployment(gateway, identity, environment, accountName)
      : renderDaemonSet(gateway, identity, environment, accountName);
  const service = renderService(gateway, identity);
  return [
    account,
    files,
    workload,
    service,
    renderAutoscaler(gateway, identity, workload.metadata.name),
    renderDisruptionBudget(gateway, identity),
    ...renderAliases(gateway, environment, service),
  ].filter((object) => object !== undefined) as KubeObject[];
}

function renderDeployment(
  gateway: GatewayInfrastructure,
  identity: Identity,
  environment: ClusterEnvironment,
  accountName: string,
): KubeObject {
  const { envoyDeployment: settings = {}, envoyHpa } = gateway.settings.provider?.kubernetes ?? {};
  const deployment: IDeployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadataOf(gateway, identity, { name: settings.name }),
    spec: {
      // With an autoscaler the number of pods is its own to say.
      ...(envoyHpa === undefined && { replicas: settings.replicas ?? 1 }),
      strategy: settings.strategy ?? { type: "RollingUpdate" },
      selector: { matchLabels: { ...identity.selector } },
      template: renderPod(gateway, identity, environment, settings, accountName),
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
    },
  };
  return patchObject(deployment as KubeObject, settings.patch);
}

function renderDaemonSet(
  gateway: GatewayInfrastructure,
  identity: Identity,
  environment: ClusterEnvironment,
  accountName: string,
): KubeObject {
  const { envoyDaemonSet: settings = {} } = gateway.settings.provider?.kubernetes ?? {};
  const { strategy, patch, name, pod, container } = settings;
  const daemonSet: IDaemonSet = {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: metadataOf(gateway, identity, { name }),
    spec: {
      ...(strategy && { updateStrategy: strategy }),
      selector: { matchLabels: { ...identity.selector } },
      template: renderPod(
        gateway,
        identity,
        environment,
        { ...(pod && { pod }), ...(container && { container }) },
        accountName,
      ),
      revisionHistoryLimit: 10,
    },
  };
  return replaceAhead(patchObject(daemonSet as KubeObject, patch) as IDaemonSet) as KubeObject;
}

/**
 * A node's pod goes when its successor serves, unless somebody has said how pods are replaced. With a port of the node itself there
 * can be only one, so the API server's default applies: first the end, then the beginning.
 */
function replaceAhead(daemonSet: IDaemonSet): IDaemonSet {
  const { spec } = daemonSet;
  const pod = spec?.template.spec;
  const takesNodePorts =
    pod?.hostNetwork || pod?.containers.some(({ ports }) => ports?.some(({ hostPort }) => hostPort));
  if (spec === undefined || spec.updateStrategy !== undefined || takesNodePorts) return daemonSet;
  const updateStrategy = { type: "RollingUpdate" as const, rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  return { ...daemonSet, spec: { ...spec, updateStrategy } };
}
