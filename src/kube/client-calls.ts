/** What the calls of a client take and give besides objects. */

export interface CallOptions {
  /** Gives the call up: the answer is then an error with reason `Aborted`. */
  readonly signal?: AbortSignal;
  /** Default `CALL_TIMEOUT_MS` of client.ts. */
  readonly timeoutMilliseconds?: number;
  /** True: does not wait for the rate limit. Only for calls that everything waits for, such as renewing a lease. */
  readonly urgent?: boolean;
}

export interface ListQuery {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface PageQuery extends ListQuery {
  readonly limit: number;
  /** Of the page before. */
  readonly continue?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  /** Absent on the last page. */
  readonly continue?: string;
  /** Size of the answer. */
  readonly bytes: number;
}

export interface WatchQuery extends ListQuery {
  readonly resourceVersion: string;
  /** After so long the server ends the watch. */
  readonly timeoutSeconds: number;
}

export interface ApplyOptions extends CallOptions {
  readonly fieldManager: string;
  /** True: takes fields over from other managers. False: they are a `Conflict`. */
  readonly force: boolean;
}

export interface WriteOptions extends CallOptions {
  /** Shown in managedFields. */
  readonly fieldManager?: string;
}

export interface PatchOptions extends WriteOptions {
  /** `merge`: RFC 7386, a partial object. `json`: RFC 6902, a list of operations. */
  readonly kind: "merge" | "json";
  readonly subresource?: "status";
}

export interface DeleteOptions extends CallOptions {
  /** Deletes only this very object: anything else is a `Conflict`. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  /** Default `Background`. */
  readonly propagation?: "Background" | "Foreground" | "Orphan";
}
