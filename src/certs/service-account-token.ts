import { createHash } from "node:crypto";
import type { ObjectKey } from "../base/keys.ts";
import { splitObjectKey } from "../base/keys.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeObject, ResourceType } from "../kube/resource-type.ts";
import type { Claim, Decision } from "./client-certificate.ts";

const tokenReviewType: ResourceType = {
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenReview",
  plural: "tokenreviews",
  namespaced: false,
};

export interface TokenAuthorizerOptions {
  readonly client: Pick<KubeClient, "create">;
  /** What a token must be made for: {@link serverName} of the xDS server. */
  readonly audience: string;
  /** Name of the ServiceAccount, in the gateway's namespace, under which its Envoys run; undefined: there is no such gateway. */
  readonly serviceAccountOf: (gateway: ObjectKey) => string | undefined;
  readonly now?: () => number;
}

/** What an xDS stream carries besides its certificate. */
export interface TokenCaller {
  readonly metadata: { get(name: string): readonly (string | Buffer)[] };
}

/** Who a token is of, according to the API server. */
interface Bearer {
  /** `system:serviceaccount:<namespace>:<name>` */
  readonly user: string;
  readonly pod: string;
}

type Verdict = Bearer | { readonly refused: string; readonly passing?: boolean };

/** Longer than any token of a ServiceAccount, whose names are bounded. */
const TOKEN_MAX_CHARACTERS = 8192;
/** A revoked token (its pod is gone) opens no new stream after so long. */
const REMEMBERED_MS = 60_000;
/** About 300 bytes each; beyond it the oldest is forgotten. */
const REMEMBERED_MAX = 10_000;
/** More wait for their turn at the next attempt of their Envoy. */
const REVIEWS_IN_FLIGHT_MAX = 32;
const REVIEW_TIMEOUT_MS = 5_000;

/**
 * Serves an Envoy by the ServiceAccount token of its pod: for Envoys in namespaces of tenants, where a Secret with a key
 * would be one more thing to keep.
 *
 * The token must be made for us, be bound to the pod that the node's id names, and be of the ServiceAccount of the gateway
 * that the node's cluster names. The API server is asked about each token once a minute at most; while it cannot be reached,
 * Envoys whose token is not known go on with what they have.
 */
export function authorizeByToken(
  options: TokenAuthorizerOptions,
): (caller: TokenCaller, claim: Claim) => Promise<Decision> {
  const review = rememberVerdicts(options);
  const now = options.now ?? Date.now;
  return async ({ metadata }, { id = "", cluster: gateway = "" }) => {
    const token = bearerToken(metadata.get("authorization"));
    if (token === undefined) return { refused: "the client showed no bearer token" };
    const { namespace } = splitObjectKey(gateway);
    const account = options.serviceAccountOf(gateway);
    if (namespace === "" || account === undefined) return { refused: `the node names no gateway: "${gateway}"` };
    const claims = readClaims(token);
    // Only to spare the API server what it would refuse; what is believed is what it says.
    if (claims === undefined || !claims.audiences.includes(options.audience) || claims.expires <= now()) {
      return { refused: `the token is not a valid one for ${options.audience}` };
    }
    const verdict = await review(token);
    if ("refused" in verdict) return verdict;
    if (verdict.user !== `system:serviceaccount:${namespace}:${account}`) {
      return { refused: `the token is of ${verdict.user}, the node claims to be of ${gateway}` };
    }
    if (verdict.pod === "" || verdict.pod !== id) {
      return { refused: `the token is bound to pod "${verdict.pod}", the node's id is "${id}"` };
    }
    return { gateway, until: claims.expires };
  };
}

function bearerToken(headers: readonly (string | Buffer)[]): string | undefined {
  const [header] = headers;
  if (headers.length !== 1 || typeof header !== "string" || header.length > TOKEN_MAX_CHARACTERS) return undefined;
  return /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header)?.[1];
}

/** What a token says of itself; nobody has verified it. */
function readClaims(token: string): { readonly audiences: readonly unknown[]; readonly expires: number } | undefined {
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    if (typeof payload !== "object" || payload === null || !("aud" in payload) || !("exp" in payload)) return undefined;
    if (typeof payload.exp !== "number") return undefined;
    return { audiences: Array.isArray(payload.aud) ? payload.aud : [payload.aud], expires: payload.exp * 1000 };
  } catch {
    return undefined;
  }
}

/** Asks about each token once a while, and never about the same twice at a time. */
function rememberVerdicts(options: TokenAuthorizerOptions): (token: string) => Promise<Verdict> {
  const now = options.now ?? Date.now;
  // In order of age, as Maps are of insertion.
  const remembered = new Map<string, { readonly verdict: Verdict; readonly until: number }>();
  const asking = new Map<string, Promise<Verdict>>();

  function remember(key: string, verdict: Verdict): void {
    remembered.delete(key);
    remembered.set(key, { verdict, until: now() + REMEMBERED_MS });
    const [oldest] = remembered.keys();
    if (remembered.size > REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest);
  }

  return async (token) => {
    // The hash, so that no token lies in memory for longer than its stream's first request.
    const key = createHash("sha256").update(token).digest("base64");
    const known = remembered.get(key);
    if (known !== undefined && known.until > now()) return known.verdict;
    const pending = asking.get(key);
    if (pending !== undefined) return pending;
    if (asking.size >= REVIEWS_IN_FLIGHT_MAX) return { refused: "too many Envoys come at once", passing: true };
    const question = askServer(options, token).finally(() => asking.delete(key));
    asking.set(key, question);
    const verdict = await question;
    if (!("passing" in verdict)) remember(key, verdict);
    return verdict;
  };
}

interface TokenReview extends KubeObject {
  readonly spec: { readonly token: string; readonly audiences: readonly string[] };
  readonly status?: {
    readonly authenticated?: boolean;
    readonly error?: string;
    readonly audiences?: readonly string[];
    readonly user?: {
      readonly username?: string;
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
  };
}

const POD_NAME = "authentication.kubernetes.io/pod-name";

async function askServer({ client, audience }: TokenAuthorizerOptions, token: string): Promise<Verdict> {
  const question: TokenReview = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    // The server wants none, and answers without.
    metadata: { name: "" },
    spec: { token, audiences: [audience] },
  };
  const answer = await client.create(tokenReviewType, question, { timeoutMilliseconds: REVIEW_TIMEOUT_MS });
  if (!answer.ok)
    return { refused: `the API server cannot be asked who this is (${answer.error.reason})`, passing: true };
  const { authenticated, audiences = [], user } = answer.value.status ?? {};
  if (!authenticated || !audiences.includes(audience)) return { refused: "the API server does not accept the token" };
  return { user: user?.username ?? "", pod: user?.extra?.[POD_NAME]?.[0] ?? "" };
}
