/**
 * Why a call failed, by what the caller can do about it:
 * - `NotFound`: no such object, or no such type (its CRD is not installed).
 * - `AlreadyExists`: a create came second.
 * - `Conflict`: the resourceVersion or a precondition is out of date, or another field manager owns a field. Read again.
 * - `Invalid`, `BadRequest`: the object itself is refused; sending it again will not help.
 * - `Forbidden`: permissions lack, a quota is used up, or the namespace is being deleted (`causes` tells).
 * - `Unauthorized`: the credentials are refused, read again from their file already.
 * - `Expired`: a resourceVersion or continue token is too old (410). List again.
 * - `TooManyRequests`: wait `retryAfterMilliseconds`.
 * - `Unavailable`: no connection, or the server failed (5xx). Try again later.
 * - `Timeout`: no answer in time. Whether a write took place is not known.
 * - `Aborted`: the caller's own signal.
 */
export type ApiErrorReason =
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "Invalid"
  | "BadRequest"
  | "Forbidden"
  | "Unauthorized"
  | "Expired"
  | "TooManyRequests"
  | "Unavailable"
  | "Timeout"
  | "Aborted";

export interface ApiErrorCause {
  /** Such as `FieldValueInvalid`, `FieldManagerConflict`, `NamespaceTerminating`. */
  readonly reason: string;
  /** Path of the field at fault. */
  readonly field?: string;
  readonly message: string;
}

/** A failed call, as a value. */
export interface ApiError {
  readonly reason: ApiErrorReason;
  /** HTTP status code; 0 when no answer came. */
  readonly status: number;
  /** What was asked, such as `replace status of Gateway prod/web`. */
  readonly subject: string;
  /** A sentence with subject, cause and status code. */
  readonly message: string;
  /** How long the server asks to wait. */
  readonly retryAfterMilliseconds?: number;
  readonly causes: readonly ApiErrorCause[];
}

/** The outcome of a call. Nothing of what an API server or a network can do throws. */
export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ApiError };

/** Whether the same call can succeed later without anybody changing anything. */
export function isTransient({ reason }: ApiError): boolean {
  return reason === "Unavailable" || reason === "Timeout" || reason === "TooManyRequests" || reason === "Unauthorized";
}

const byStatus: Readonly<Record<number, ApiErrorReason>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "NotFound",
  409: "Conflict",
  410: "Expired",
  413: "BadRequest",
  415: "BadRequest",
  422: "Invalid",
  429: "TooManyRequests",
};

/** Longest wait that a server is believed to mean. */
const RETRY_AFTER_MAX_SECONDS = 300;
/** Longest part of an answer that is repeated in a message. */
const MESSAGE_MAX_CHARACTERS = 1000;

/** The API server's `Status` object, as far as it is used. */
interface StatusBody {
  readonly kind: "Status";
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly code?: unknown;
  readonly details?: { readonly causes?: unknown; readonly retryAfterSeconds?: unknown };
}

/**
 * Reads an answer other than 2xx, or the object of an ERROR event of a watch.
 *
 * @param retryAfter the header of that name, in seconds
 */
export function errorOfStatus(subject: string, status: number, body: unknown, retryAfter?: string): ApiError {
  const parsed = isStatus(body) ? body : undefined;
  const code = status >= 400 ? status : typeof parsed?.code === "number" ? parsed.code : status;
  const exists = code === 409 && parsed?.reason === "AlreadyExists";
  const reason = exists
    ? "AlreadyExists"
    : (byStatus[code] ?? (code >= 500 || code === 0 ? "Unavailable" : "BadRequest"));
  const told = typeof parsed?.message === "string" ? parsed.message : typeof body === "string" ? body.trim() : "";
  const seconds = Number(retryAfter ?? parsed?.details?.retryAfterSeconds);
  return {
    reason,
    status: code,
    subject,
    message: `cannot ${subject}: ${told.slice(0, MESSAGE_MAX_CHARACTERS) || reason} (status ${code})`,
    ...(Number.isFinite(seconds) &&
      seconds > 0 && { retryAfterMilliseconds: Math.min(seconds, RETRY_AFTER_MAX_SECONDS) * 1000 }),
    causes: readCauses(parsed?.details?.causes),
  };
}

/** A call that got no answer. */
export function errorOfFailure(subject: string, reason: ApiErrorReason, why: string): ApiError {
  return { reason, status: 0, subject, message: `cannot ${subject}: ${why}`, causes: [] };
}

function isStatus(body: unknown): body is StatusBody {
  return typeof body === "object" && body !== null && "kind" in body && body.kind === "Status";
}

function readCauses(raw: unknown): readonly ApiErrorCause[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((cause: Record<string, unknown>) => ({
    reason: String(cause["reason"] ?? ""),
    ...(typeof cause["field"] === "string" && { field: cause["field"] }),
    message: String(cause["message"] ?? ""),
  }));
}
