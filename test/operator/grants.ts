import type { Rest } from "../cluster/rest.ts";
import { waitFor } from "../harness/waiting.ts";
import type { RecordedRequest } from "./audit.ts";

/** One verb on one resource, of one rule of a role: the smallest thing that can be taken away. */
export interface Grant {
  readonly role: string;
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly resourceNames?: readonly string[];
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly resourceVersion?: string };
  readonly rules: readonly Rule[];
}

const API = "/apis/rbac.authorization.k8s.io/v1";
/** The API server's authorizer learns of a changed role through its own watch. */
const KNOWN_LIMIT_MS = 1_500;

export const printGrant = ({ role, group, resource, verb }: Grant) =>
  `${role}: ${verb} ${resource}${group && `.${group}`}`;

/** Our roles in a cluster, by what `Kind/name` says. */
export async function readRoles(rest: Rest, namespace: string, named: RegExp): Promise<ReadonlyMap<string, string>> {
  const paths = new Map<string, string>();
  for (const [kind, folder] of [
    ["ClusterRole", `${API}/clusterroles`],
    ["Role", `${API}/namespaces/${namespace}/roles`],
  ] as const) {
    const { items } = await rest.json<{ items: readonly Role[] }>(folder);
    for (const { metadata } of items) {
      if (named.test(metadata.name)) paths.set(`${kind}/${metadata.name}`, `${folder}/${metadata.name}`);
    }
  }
  return paths;
}

/**
 * Takes each grant that is unclear away, alone, and asks the API server whether it would still allow every request of the record.
 *
 * @returns the grants without which a request is refused
 */
export async function findNeeded(
  rest: Rest,
  roles: ReadonlyMap<string, string>,
  user: string,
  { record, unclear }: { readonly record: readonly RecordedRequest[]; readonly unclear: (grant: Grant) => boolean },
): Promise<{ readonly all: readonly Grant[]; readonly needed: readonly Grant[] }> {
  const all: Grant[] = [];
  const needed: Grant[] = [];
  for (const [name, path] of roles) {
    const role = await rest.json<Role>(path);
    const grants = role.rules.flatMap((rule) => grantsOf(name, rule));
    all.push(...grants);
    for (const grant of grants.filter(unclear)) {
      const requests = record.filter((request) => covers(grant, request));
      if (requests.length === 0) continue;
      await replaceRules(rest, path, grants.filter((other) => other !== grant).map(ruleOf));
      if (await isRefused(rest, user, requests)) needed.push(grant);
    }
    await replaceRules(rest, path, role.rules);
    for (const grant of grants) {
      const requests = record.filter((request) => covers(grant, request));
      await waitFor("the role to be whole again", () => areAllowed(rest, user, requests));
    }
  }
  return { all, needed };
}

function grantsOf(role: string, { apiGroups, resources, verbs, resourceNames }: Rule): Grant[] {
  const names = resourceNames && { resourceNames };
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) => verbs.map((verb) => ({ role, group, resource, verb, ...names }))),
  );
}

const ruleOf = ({ group, resource, verb, resourceNames }: Grant): Rule => ({
  ...(resourceNames && { resourceNames }),
  apiGroups: [group],
  resources: [resource],
  verbs: [verb],
});

const covers = (grant: Grant, { group, resource, verb }: RecordedRequest) =>
  grant.group === group && grant.resource === resource && grant.verb === verb;

async function replaceRules(rest: Rest, path: string, rules: readonly Rule[]): Promise<void> {
  const role = await rest.json<Role>(path);
  await rest.json(path, { method: "PUT", body: { ...role, rules } });
}

/** Runs something while a role lacks a grant, written as `verb resource.group`. */
export async function without(rest: Rest, path: string, taken: string, run: () => Promise<void>): Promise<void> {
  const { rules } = await rest.json<Role>(path);
  const grants = rules.flatMap((rule) => grantsOf("", rule));
  const left = grants.filter((grant) => printGrant(grant) !== `: ${taken}`);
  if (left.length === grants.length) throw new Error(`${path} has no ${taken}`);
  await replaceRules(rest, path, left.map(ruleOf));
  try {
    await run();
  } finally {
    await replaceRules(rest, path, rules);
  }
}

async function isRefused(rest: Rest, user: string, requests: readonly RecordedRequest[]): Promise<boolean> {
  const refused = async () => !(await areAllowed(rest, user, requests));
  return waitFor("a refusal", refused, KNOWN_LIMIT_MS).catch(() => false);
}

async function areAllowed(rest: Rest, user: string, requests: readonly RecordedRequest[]): Promise<boolean> {
  for (const request of requests) if (!(await isAllowed(rest, user, request))) return false;
  return true;
}

/** @param user of a ServiceAccount */
async function isAllowed(rest: Rest, user: string, request: RecordedRequest): Promise<boolean> {
  const [, , namespace] = user.split(":");
  const [resource, subresource] = request.resource.split("/");
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
  const { verb, group, name } = request;
  const attributes = { verb, group, resource, subresource, namespace: request.namespace, name };
  const review = await rest.json<{ status: { allowed: boolean } }>(
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    {
      method: "POST",
      body: {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SubjectAccessReview",
        spec: { user, groups, resourceAttributes: attributes },
      },
    },
  );
  return review.status.allowed;
}
