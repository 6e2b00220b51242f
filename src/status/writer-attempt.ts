import type { Answer, ApiError } from "../kube/api-error.ts";
import type { KubeClient } from "../kube/client.ts";
import { apiVersionOf, type ResourceType } from "../kube/resource-type.ts";
import { STATUS_FIELD_MANAGER } from "./writer-fields.ts";
import {
  composeStatus,
  type KnownObject,
  know,
  printDesired,
  type StandingObject,
  type StatusTarget,
} from "./writer-objects.ts";

/** The part of the client that statuses need. */
export type StatusClient = Pick<KubeClient, "get" | "replaceStatus" | "applyStatus">;

/** A status without times; undefined: none of ours. */
export interface Rendered {
  readonly status: unknown;
}

export interface AttemptContext {
  readonly client: StatusClient;
  readonly controllerNames: readonly string[];
  /** As the API server serves the kind; undefined: it does not. */
  readonly typeOf: (kind: string) => ResourceType | undefined;
  /** The status that an object should have now, or undefined when it cannot be told. */
  readonly render: (key: string) => Rendered | undefined;
  /** Waits until one more call may be made; false: no more calls. */
  readonly pace: () => Promise<boolean>;
  /** Gives up calls that are under way. */
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  readonly onRead: () => void;
  readonly onConflict: () => void;
}

export type Outcome =
  /** `written` or `equal`: what stands is what should, as `known` remembers it. */
  | { readonly end: "written" | "equal"; readonly known: KnownObject }
  /** The server does not have the object, or not its kind. */
  | { readonly end: "missing" }
  /** No more calls may be made. */
  | { readonly end: "stopped" }
  | { readonly end: "failed"; readonly error: ApiError };

/** So often is an object read again because somebody else wrote first; then it waits for its next turn. */
const CONFLICTS_MAX = 5;

/**
 * Brings one object's status to what it should be. It is read first, unless it is known to have none, because times and entries
 * of others must be carried over. The status is rendered for each try, so it is the newest.
 */
export async function attempt(target: StatusTarget, known: KnownObject, context: AttemptContext): Promise<Outcome> {
  const type = context.typeOf(target.kind);
  if (type === undefined) return { end: "missing" };
  let standing: StandingObject | undefined;
  let latest = known;
  for (let conflicts = 0; ; conflicts++) {
    if (conflicts > 0 || !known.blank) {
      const read = await context.client.get<StandingObject>(type, target, { signal: context.signal, urgent: true });
      context.onRead();
      if (!read.ok) return failure(read.error);
      standing = read.value;
      latest = renew(latest, know(target, standing, context.controllerNames));
      if (!(await context.pace())) return { end: "stopped" };
    }
    const desired = context.render(target.key);
    if (desired === undefined) return { end: "equal", known: latest };
    const print = printDesired(target, desired.status, latest.foreign);
    if (says(latest, print)) return { end: "equal", known: latest };
    const answer = await write(type, target, desired.status, { known: latest, standing }, context);
    if (answer.ok) {
      const after = know(target, answer.value, context.controllerNames);
      return { end: "written", known: after.print === print ? after : { ...after, written: print } };
    }
    if (answer.error.reason !== "Conflict" || conflicts >= CONFLICTS_MAX) return failure(answer.error);
    context.onConflict();
    if (!(await context.pace())) return { end: "stopped" };
  }
}

/** Whether an object's status reads as it should already. */
export function says(known: KnownObject, print: string): boolean {
  return known.print === print || known.written === print;
}

/** What is known after a look at the object: what was written still counts while the same stands. */
export function renew({ print, written }: KnownObject, after: KnownObject): KnownObject {
  return written === undefined || after.print !== print ? after : { ...after, written };
}

function write(
  type: ResourceType,
  target: StatusTarget,
  desired: unknown,
  { known, standing }: { readonly known: KnownObject; readonly standing: StandingObject | undefined },
  { client, controllerNames, signal, wallClock }: AttemptContext,
): Promise<Answer<StandingObject>> {
  const now = new Date(wallClock()).toISOString().replace(/\.\d+Z$/, "Z");
  const status = composeStatus(target, desired, standing?.status, controllerNames, now);
  const { namespace, name } = target;
  const head = { apiVersion: apiVersionOf(type), kind: type.kind };
  const place = { name, ...(namespace !== "" && { namespace }) };
  const options = { fieldManager: STATUS_FIELD_MANAGER, signal, urgent: true };
  if (target.sharing === "fields") {
    // The class is ours, so what another controller left on its Gateways is for us to take over.
    return client.applyStatus<StandingObject>(type, { ...head, metadata: place, status }, { ...options, force: true });
  }
  const metadata = { ...place, ...(known.resourceVersion !== undefined && { resourceVersion: known.resourceVersion }) };
  return client.replaceStatus<StandingObject>(type, { ...head, metadata, status }, options);
}

function failure(error: ApiError): Outcome {
  if (error.reason === "NotFound") return { end: "missing" };
  if (error.reason === "Aborted") return { end: "stopped" };
  return { end: "failed", error };
}
