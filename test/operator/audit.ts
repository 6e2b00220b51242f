import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A request to the API server, as RBAC sees it. */
export interface RecordedRequest {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `gateways/status`. */
  readonly resource: string;
  /** Undefined: all namespaces, or a kind without. */
  readonly namespace: string | undefined;
  /** Of a list or watch that asks for one object by its name, which roles may name; of no others, to keep the record short. */
  readonly name?: string;
  readonly allowed: boolean;
}

/** The API server's own account of what one user asks it for. */
export interface AuditTrail {
  readonly apiServerArgs: readonly string[];
  /** Everything since the last call of {@link clear}; each kind of request once. */
  read(): RecordedRequest[];
  clear(): void;
  remove(): void;
}

interface AuditEvent {
  readonly verb: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly annotations?: Readonly<Record<string, string>>;
}

export function createAuditTrail(user: string): AuditTrail {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-audit-"));
  const [policy, log] = [join(folder, "policy.json"), join(folder, "audit.log")];
  const rules = [{ level: "Metadata", users: [user], omitStages: ["RequestReceived"] }, { level: "None" }];
  writeFileSync(policy, JSON.stringify({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules }));
  let skipped = 0;
  const lines = () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : []);
  return {
    apiServerArgs: [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`],
    read() {
      const requests = lines()
        .slice(skipped)
        .flatMap((line) => readEvent(JSON.parse(line) as AuditEvent));
      return [...new Map(requests.map((request) => [JSON.stringify(request), request])).values()];
    },
    clear() {
      skipped = lines().length;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const CREATED = 201;

/** Requests that are not for objects (discovery) are every user's. */
function readEvent({ verb, objectRef, responseStatus, annotations }: AuditEvent): RecordedRequest[] {
  if (objectRef === undefined) return [];
  const { apiGroup = "", resource, subresource, namespace, name } = objectRef;
  const request: RecordedRequest = {
    verb,
    group: apiGroup,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    namespace: namespace === "" ? undefined : namespace,
    ...(name && ["list", "watch"].includes(verb) && { name }),
    allowed: annotations?.["authorization.k8s.io/decision"] === "allow",
  };
  // Whoever makes an object by server-side apply is asked for both verbs.
  const creates = verb === "patch" && responseStatus?.code === CREATED;
  return creates ? [request, { ...request, verb: "create" }] : [request];
}
