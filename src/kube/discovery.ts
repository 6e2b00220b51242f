import { type Answer, errorOfFailure } from "./api-error.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Call, Reply } from "./transport.ts";

/** What an API server serves now. */
export interface Served {
  /** The type with this version and plural, as the server describes it; undefined when it is not served. */
  find(group: string, version: string, kind: string): ResourceType | undefined;
  /** Versions in which a kind is served, the server's preferred one first. Empty: its CRD is not installed. */
  versions(group: string, kind: string): readonly string[];
  /** Groups whose server did not answer (aggregated APIs): nothing is known about their types. */
  readonly stale: ReadonlySet<string>;
}

/** Media types of the aggregated discovery document; the second for servers before 1.30. */
const DISCOVERY_ACCEPT = ["v2", "v2beta1"]
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(",");

/** `APIGroupDiscoveryList`, as far as it is used. */
interface GroupDiscoveryList {
  readonly items: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions: readonly {
      readonly version: string;
      readonly freshness?: string;
      readonly resources?: readonly {
        readonly resource: string;
        readonly scope: string;
        readonly responseKind?: { readonly kind?: string };
      }[];
    }[];
  }[];
}

type Send = (call: Pick<Call, "method" | "path" | "subject" | "accept" | "headers">) => Promise<Answer<Reply>>;

/**
 * Asks for the two documents (core and groups) and keeps them: while they are the same the server answers with 304 and no body,
 * and the very same value is returned.
 */
export function createDiscovery(): (send: Send) => Promise<Answer<Served>> {
  const documents = new Map<string, { readonly etag: string | undefined; readonly list: GroupDiscoveryList }>();
  let known: { readonly lists: readonly GroupDiscoveryList[]; readonly served: Served } | undefined;

  async function read(send: Send, path: string): Promise<Answer<GroupDiscoveryList>> {
    const before = documents.get(path);
    const headers = before?.etag ? { "if-none-match": before.etag } : undefined;
    const answer = await send({ method: "GET", path, subject: "discover types", accept: DISCOVERY_ACCEPT, headers });
    if (!answer.ok) return answer;
    const { status, body, etag } = answer.value;
    if (status === 304 && before !== undefined) return { ok: true, value: before.list };
    const list = body as GroupDiscoveryList | undefined;
    if (!Array.isArray(list?.items)) {
      const why = "the server does not answer with aggregated discovery; Kubernetes 1.26 or newer is needed";
      return { ok: false, error: errorOfFailure("discover types", "BadRequest", why) };
    }
    documents.set(path, { etag, list: list! });
    return { ok: true, value: list! };
  }

  return async (send) => {
    const [core, groups] = await Promise.all([read(send, "/api"), read(send, "/apis")]);
    if (!core.ok) return core;
    if (!groups.ok) return groups;
    const lists = [core.value, groups.value];
    if (known === undefined || lists.some((list, index) => list !== known?.lists[index])) {
      known = { lists, served: readDiscovery(lists) };
    }
    return { ok: true, value: known.served };
  };
}

/** Reads aggregated discovery documents. */
function readDiscovery(lists: readonly GroupDiscoveryList[]): Served {
  const types = new Map<string, ResourceType[]>();
  const stale = new Set<string>();
  for (const { metadata, versions } of lists.flatMap((list) => list.items)) {
    const group = metadata?.name ?? "";
    for (const { version, freshness, resources } of versions) {
      if (freshness === "Stale") stale.add(group);
      for (const { resource: plural, scope, responseKind } of resources ?? []) {
        const kind = responseKind?.kind ?? "";
        const type = { group, version, kind, plural, namespaced: scope === "Namespaced" };
        const key = `${group}/${kind}`;
        const known = types.get(key);
        if (known === undefined) types.set(key, [type]);
        else known.push(type);
      }
    }
  }
  return {
    find: (group, version, kind) => types.get(`${group}/${kind}`)?.find((type) => type.version === version),
    versions: (group, kind) => types.get(`${group}/${kind}`)?.map((type) => type.version) ?? [],
    stale,
  };
}
