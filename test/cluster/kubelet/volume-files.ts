import type { VolumeFile } from "./atomic-files.ts";
import { readField, readResource } from "./downward.ts";
import type { Outcome, Pod, PodFacts, Sources, Volume } from "./objects.ts";

const DEFAULT_MODE = 0o644;

type Items = readonly { readonly key: string; readonly path: string; readonly mode?: number }[] | undefined;
type DownwardItems = NonNullable<NonNullable<Volume["downwardAPI"]>["items"]>;
type Projection = NonNullable<NonNullable<Volume["projected"]>["sources"]>[number];

/** Gets a token for the pod's ServiceAccount. */
export type IssueToken = (audience: string | undefined, lifetimeSeconds: number | undefined) => Promise<string>;

/** Whether the files of this volume are written by the kubelet and follow the objects that they come from. */
export function isRendered(volume: Volume): boolean {
  return Boolean(volume.secret ?? volume.configMap ?? volume.downwardAPI ?? volume.projected);
}

/** The files of a Secret, ConfigMap, downward API or projected volume, or what they wait for. */
export async function renderVolume(
  volume: Volume,
  pod: Pod,
  facts: PodFacts,
  sources: Sources,
  issueToken: IssueToken,
): Promise<Outcome<VolumeFile[]>> {
  const { secret, configMap, downwardAPI, projected } = volume;
  const mode = (secret ?? configMap ?? downwardAPI ?? projected)?.defaultMode ?? DEFAULT_MODE;
  if (secret) return secretFiles(secret.secretName ?? "", secret.items, secret.optional, mode, pod, sources);
  if (configMap) return configMapFiles(configMap.name ?? "", configMap.items, configMap.optional, mode, pod, sources);
  if (downwardAPI) return downwardFiles(downwardAPI.items ?? [], mode, pod, facts);
  const files: VolumeFile[] = [];
  for (const source of projected?.sources ?? []) {
    const outcome = await renderProjection(source, mode, pod, facts, sources, issueToken);
    if (outcome.obstacle) return outcome;
    files.push(...outcome.value);
  }
  return { value: files };
}

async function renderProjection(
  source: Projection,
  mode: number,
  pod: Pod,
  facts: PodFacts,
  sources: Sources,
  issueToken: IssueToken,
): Promise<Outcome<VolumeFile[]>> {
  const { secret, configMap, downwardAPI, serviceAccountToken } = source;
  if (secret) return secretFiles(secret.name ?? "", secret.items, secret.optional, mode, pod, sources);
  if (configMap) return configMapFiles(configMap.name ?? "", configMap.items, configMap.optional, mode, pod, sources);
  if (downwardAPI) return downwardFiles(downwardAPI.items ?? [], mode, pod, facts);
  if (serviceAccountToken === undefined) return waiting("this kind of projection is not supported here");
  try {
    const token = await issueToken(serviceAccountToken.audience, serviceAccountToken.expirationSeconds);
    return { value: [{ path: serviceAccountToken.path, content: Buffer.from(token), mode }] };
  } catch (error) {
    return waiting(`no token for the ServiceAccount: ${String(error)}`);
  }
}

function secretFiles(
  name: string,
  items: Items,
  optional: boolean | undefined,
  mode: number,
  pod: Pod,
  sources: Sources,
): Outcome<VolumeFile[]> {
  const secret = sources.secret(pod.metadata.namespace, name);
  const data = Object.entries(secret?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")] as const);
  return keyedFiles(`secret "${name}"`, secret === undefined ? undefined : new Map(data), items, optional, mode);
}

function configMapFiles(
  name: string,
  items: Items,
  optional: boolean | undefined,
  mode: number,
  pod: Pod,
  sources: Sources,
): Outcome<VolumeFile[]> {
  const map = sources.configMap(pod.metadata.namespace, name);
  const text = Object.entries(map?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const);
  const binary = Object.entries(map?.binaryData ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, "base64")] as const,
  );
  return keyedFiles(
    `configmap "${name}"`,
    map === undefined ? undefined : new Map([...text, ...binary]),
    items,
    optional,
    mode,
  );
}

function keyedFiles(
  what: string,
  data: ReadonlyMap<string, Buffer> | undefined,
  items: Items,
  optional: boolean | undefined,
  mode: number,
): Outcome<VolumeFile[]> {
  if (data === undefined) return optional ? { value: [] } : waiting(`${what} not found`);
  if (items === undefined) return { value: [...data].map(([path, content]) => ({ path, content, mode })) };
  const files: VolumeFile[] = [];
  for (const item of items) {
    const content = data.get(item.key);
    if (content !== undefined) files.push({ path: item.path, content, mode: item.mode ?? mode });
    else if (!optional) return waiting(`${what} has no key ${item.key}`);
  }
  return { value: files };
}

function downwardFiles(items: DownwardItems, mode: number, pod: Pod, facts: PodFacts): Outcome<VolumeFile[]> {
  const files: VolumeFile[] = [];
  for (const item of items) {
    const outcome = item.fieldRef
      ? readField(item.fieldRef.fieldPath, pod, facts)
      : readResource(item.resourceFieldRef ?? { resource: "" }, pod.spec.containers[0]!, pod, facts);
    if (outcome.obstacle) return waiting(outcome.obstacle.message);
    files.push({ path: item.path, content: Buffer.from(outcome.value), mode: item.mode ?? mode });
  }
  return { value: files };
}

function waiting(message: string): Outcome<never> {
  return { obstacle: { reason: "FailedMount", message } };
}
