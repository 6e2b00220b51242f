import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { World } from "../operator/world.ts";

/** `bundle/`, installed as the Operator Lifecycle Manager does it; its own controllers need a registry of images. */

export const manifestsFolder = fileURLToPath(new URL("../../bundle/manifests/", import.meta.url));

interface Permission {
  readonly serviceAccountName: string;
  readonly rules: readonly object[];
}

export interface Csv {
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly installModes: readonly { readonly type: string; readonly supported: boolean }[];
    readonly install: {
      readonly spec: {
        readonly permissions: readonly Permission[];
        readonly clusterPermissions: readonly Permission[];
        readonly deployments: readonly { readonly name: string; readonly label: object; readonly spec: Deployment }[];
      };
    };
  };
}

interface Deployment {
  readonly template: { readonly metadata: { readonly annotations?: object } };
}

export interface OperatorGroup {
  /** Of the operator. */
  readonly namespace: string;
  /** Empty: all. */
  readonly targets: readonly string[];
}

export function readCsv(): Csv {
  return parse(readFileSync(join(manifestsFolder, "gatehouse.clusterserviceversion.yaml"), "utf8")) as Csv;
}

const API = "rbac.authorization.k8s.io";

/** Everything that OLM would make of the bundle for an OperatorGroup. */
export async function installAsOlm({ cluster, kubectl, apply }: World, group: OperatorGroup): Promise<void> {
  const csv = readCsv();
  for (const file of readdirSync(manifestsFolder).filter((name) => !name.includes("clusterserviceversion"))) {
    await kubectl("apply", "--server-side", "-n", group.namespace, "-f", join(manifestsFolder, file));
  }
  const { permissions, clusterPermissions, deployments } = csv.spec.install.spec;
  const accounts = new Set([...permissions, ...clusterPermissions].map(({ serviceAccountName }) => serviceAccountName));
  const objects = [
    ...[...accounts].map((name) => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name, ...at(group) } })),
    ...permissions.flatMap((permission) => grantInNamespaces(csv, permission, group)),
    ...clusterPermissions.flatMap((permission) => grant(`${csv.metadata.name}-cluster`, permission, group, undefined)),
    ...deployments.map(({ name, label, spec }) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, ...at(group), labels: label },
      spec: annotate(spec, {
        "olm.operatorGroup": "gatehouse",
        "olm.operatorNamespace": group.namespace,
        "olm.targetNamespaces": group.targets.join(),
      }),
    })),
  ];
  await apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
  for (const { name } of deployments) {
    await cluster.kubectl(["rollout", "status", "-n", group.namespace, `deployment/${name}`, "--timeout=90s"]);
  }
}

const at = ({ namespace }: OperatorGroup) => ({ namespace, labels: { "olm.managed": "true" } });

/** A Role in the operator's namespace and in each target; for a group of all namespaces OLM makes it a ClusterRole. */
function grantInNamespaces(csv: Csv, permission: Permission, group: OperatorGroup): object[] {
  const { name } = csv.metadata;
  const own = grant(name, permission, group, group.namespace);
  const others = group.targets.filter((target) => target !== group.namespace);
  if (others.length > 0) return [...own, ...others.flatMap((target) => grant(name, permission, group, target))];
  if (group.targets.length > 0) return own;
  const namespaces = { apiGroups: [""], resources: ["namespaces"], verbs: ["get", "list", "watch"] };
  return [...own, ...grant(name, { ...permission, rules: [...permission.rules, namespaces] }, group, undefined)];
}

/** @param target undefined: the whole cluster */
function grant(
  name: string,
  { serviceAccountName, rules }: Permission,
  { namespace }: OperatorGroup,
  target: string | undefined,
): object[] {
  const prefix = target === undefined ? "Cluster" : "";
  const metadata = { name, ...(target !== undefined && { namespace: target }), labels: { "olm.managed": "true" } };
  const subjects = [{ kind: "ServiceAccount", name: serviceAccountName, namespace }];
  const roleRef = { apiGroup: API, kind: `${prefix}Role`, name };
  return [
    { apiVersion: `${API}/v1`, kind: `${prefix}Role`, metadata, rules },
    { apiVersion: `${API}/v1`, kind: `${prefix}RoleBinding`, metadata, roleRef, subjects },
  ];
}

function annotate(spec: Deployment, added: Readonly<Record<string, string>>): object {
  const { template } = spec;
  const annotations = { ...template.metadata.annotations, ...added };
  return { ...spec, template: { ...template, metadata: { ...template.metadata, annotations } } };
}

/** What {@link installAsOlm} made, but for the kinds. */
export async function uninstall({ kubectl }: World, { namespace }: OperatorGroup): Promise<void> {
  await kubectl("delete", "deployment,service,configmap,serviceaccount", "-n", namespace, "-l", "olm.managed");
  await kubectl("delete", "deployment,service", "gatehouse", "-n", namespace, "--ignore-not-found");
  await kubectl("delete", "role,rolebinding", "-A", "-l", "olm.managed");
  await kubectl("delete", "clusterrole,clusterrolebinding", "-l", "olm.managed");
}
