import { readField, readResource } from "./downward.ts";
import type { Container, EnvironmentVariable, Outcome, Pod, PodFacts, Sources } from "./objects.ts";

type Names = ReadonlyMap<string, string>;

/**
 * The environment of a container, in the kubelet's order: the image's, the API server's address, `envFrom`, `env`; later ones
 * win, and a value may refer to those before it as `$(NAME)`.
 */
export function resolveEnvironment(
  container: Container,
  pod: Pod,
  facts: PodFacts,
  sources: Sources,
  imageEnvironment: Readonly<Record<string, string>> = {},
): Outcome<Map<string, string>> {
  const { host, port } = facts.apiServer;
  const environment = new Map(Object.entries(imageEnvironment));
  environment.set("HOSTNAME", pod.spec.hostname ?? pod.metadata.name);
  environment.set("KUBERNETES_SERVICE_HOST", host);
  environment.set("KUBERNETES_SERVICE_PORT", String(port));
  environment.set("KUBERNETES_SERVICE_PORT_HTTPS", String(port));
  for (const from of container.envFrom ?? []) {
    const reference = from.secretRef ?? from.configMapRef;
    const data = from.secretRef
      ? secretData(pod, from.secretRef.name ?? "", sources)
      : configMapData(pod, from.configMapRef?.name ?? "", sources);
    if (data === undefined) {
      if (reference?.optional) continue;
      return missing(`${from.secretRef ? "secret" : "configmap"} "${reference?.name}" not found`);
    }
    for (const [key, value] of data) environment.set(`${from.prefix ?? ""}${key}`, value);
  }
  for (const variable of container.env ?? []) {
    const outcome = resolveVariable(variable, environment, container, pod, facts, sources);
    if (outcome.obstacle) return outcome;
    if (outcome.value !== undefined) environment.set(variable.name, outcome.value);
  }
  return { value: environment };
}

/** `$(NAME)` becomes the value, `$$` a dollar sign; a name that is not there stays as written. */
export function expandVariables(text: string, names: Names): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (match, name: string | undefined) =>
    name === undefined ? "$" : (names.get(name) ?? match),
  );
}

function resolveVariable(
  variable: EnvironmentVariable,
  names: Names,
  container: Container,
  pod: Pod,
  facts: PodFacts,
  sources: Sources,
): Outcome<string | undefined> {
  const from = variable.valueFrom;
  if (from === undefined) return { value: expandVariables(variable.value ?? "", names) };
  if (from.fieldRef) return readField(from.fieldRef.fieldPath, pod, facts);
  if (from.resourceFieldRef) return readResource(from.resourceFieldRef, container, pod, facts);
  const reference = from.secretKeyRef ?? from.configMapKeyRef;
  if (reference === undefined) return missing(`env ${variable.name}: this source of a value is not supported here`);
  const name = reference.name ?? "";
  const data = from.secretKeyRef ? secretData(pod, name, sources) : configMapData(pod, name, sources);
  const value = data?.get(reference.key);
  if (value !== undefined || reference.optional) return { value };
  const kind = from.secretKeyRef ? "secret" : "configmap";
  return missing(
    data === undefined ? `${kind} "${name}" not found` : `couldn't find key ${reference.key} in ${kind} ${name}`,
  );
}

function secretData(pod: Pod, name: string, sources: Sources): Map<string, string> | undefined {
  const secret = sources.secret(pod.metadata.namespace, name);
  if (secret === undefined) return undefined;
  return new Map(
    Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64").toString("utf8")]),
  );
}

function configMapData(pod: Pod, name: string, sources: Sources): Map<string, string> | undefined {
  const configMap = sources.configMap(pod.metadata.namespace, name);
  return configMap === undefined ? undefined : new Map(Object.entries(configMap.data ?? {}));
}

function missing(message: string): Outcome<never> {
  return { obstacle: { reason: "CreateContainerConfigError", message } };
}
