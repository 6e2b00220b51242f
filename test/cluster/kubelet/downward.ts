import type { Container, Outcome, Pod, PodFacts } from "./objects.ts";

/** The downward API: a field of the pod as text, for environment variables and files. */
export function readField(path: string, pod: Pod, facts: PodFacts): Outcome<string> {
  const entry = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (entry) return { value: pod.metadata[entry[1] as "labels" | "annotations"]?.[entry[2]!] ?? "" };
  const fields: Readonly<Record<string, string>> = {
    "metadata.name": pod.metadata.name,
    "metadata.namespace": pod.metadata.namespace,
    "metadata.uid": pod.metadata.uid,
    "metadata.labels": formatMap(pod.metadata.labels),
    "metadata.annotations": formatMap(pod.metadata.annotations),
    "spec.nodeName": pod.spec.nodeName ?? "",
    "spec.serviceAccountName": pod.spec.serviceAccountName ?? "default",
    "status.podIP": facts.podAddress,
    "status.podIPs": facts.podAddress,
    "status.hostIP": facts.nodeAddress,
    "status.hostIPs": facts.nodeAddress,
  };
  const value = fields[path];
  if (value === undefined) return unsupported(`fieldPath ${path} is not supported here`);
  return { value };
}

export interface ResourceReference {
  readonly containerName?: string;
  readonly resource: string;
  readonly divisor?: unknown;
}

/** `limits.cpu` and the like, divided by the divisor and rounded up; without a limit, what the node has. */
export function readResource(reference: ResourceReference, own: Container, pod: Pod, facts: PodFacts): Outcome<string> {
  const everyone = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const container = reference.containerName
    ? everyone.find((candidate) => candidate.name === reference.containerName)
    : own;
  const [kind, resource = ""] = reference.resource.split(/\.(.*)/);
  if (container === undefined || (kind !== "limits" && kind !== "requests")) {
    return unsupported(`resourceFieldRef ${reference.containerName ?? ""} ${reference.resource} is not supported here`);
  }
  const fallback = kind === "limits" ? facts.capacity[resource] : undefined;
  const quantity = container.resources?.[kind]?.[resource] ?? fallback ?? "0";
  const divisor = parseQuantity(String(reference.divisor ?? "1")) || 1;
  return { value: String(Math.ceil(Number((parseQuantity(String(quantity)) / divisor).toFixed(6)))) };
}

const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A Kubernetes quantity (`250m`, `1Gi`, `1e3`) as a number; NaN for what is none. */
export function parseQuantity(text: string): number {
  const match = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]?i?)$/.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * (SUFFIXES[match[2]!] ?? Number.NaN);
}

function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  const keys = Object.keys(map ?? {}).sort();
  return keys.map((key) => `${key}=${JSON.stringify(map?.[key])}`).join("\n");
}

function unsupported(message: string): Outcome<never> {
  return { obstacle: { reason: "CreateContainerConfigError", message } };
}
