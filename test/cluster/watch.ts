import { pause } from "../harness/waiting.ts";
import { type Rest, StatusError } from "./rest.ts";

export interface Identified {
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
}

/** All objects of one kind, kept up to date. */
export interface Watched<T> {
  get(namespace: string, name: string): T | undefined;
  all(): IterableIterator<T>;
  /** Resolves when the first list has been taken in. */
  readonly synced: Promise<void>;
  stop(): void;
}

export interface Observer<T> {
  onSet?(object: T): void;
  /** Gets the last known state. */
  onDelete?(object: T): void;
}

const RETRY_MS = 200;
const GONE = 410;

/**
 * Lists a kind, then watches it; after any failure it goes on where it was, or lists again and reports what changed meanwhile,
 * deletions included.
 *
 * @param path of the collection, for example `/api/v1/pods`
 */
export function watchObjects<T extends Identified>(rest: Rest, path: string, observer: Observer<T>): Watched<T> {
  const known = new Map<string, T>();
  const stopping = new AbortController();
  const set = (object: T) => {
    known.set(keyOf(object), object);
    observer.onSet?.(object);
  };
  const remove = (key: string) => {
    const last = known.get(key);
    if (last !== undefined && known.delete(key)) observer.onDelete?.(last);
  };

  const list = async (): Promise<string> => {
    const { items, metadata } = await rest.json<{ items: T[]; metadata: { resourceVersion: string } }>(path);
    const present = new Set(items.map(keyOf));
    for (const key of [...known.keys()]) if (!present.has(key)) remove(key);
    for (const item of items) {
      const version = known.get(keyOf(item))?.metadata?.resourceVersion;
      if (version !== item.metadata?.resourceVersion) set(item);
    }
    return metadata.resourceVersion;
  };

  const watchFrom = async (version: string): Promise<string> => {
    let last = version;
    const url = `${path}?watch=1&allowWatchBookmarks=true&resourceVersion=${version}`;
    let failure: StatusError | undefined;
    const take = (line: string) => {
      if (line === "" || stopping.signal.aborted) return;
      const event = JSON.parse(line) as { type: string; object: T & { code?: number; message?: string } };
      if (event.type === "ERROR") {
        failure = new StatusError(event.object.code ?? GONE, event.object.message ?? "");
        return;
      }
      last = event.object.metadata?.resourceVersion ?? last;
      if (event.type === "DELETED") remove(keyOf(event.object));
      else if (event.type !== "BOOKMARK") set(event.object);
    };
    await rest.lines(url, take, stopping.signal).catch((error) => {
      // A watch that breaks is resumed where it was, unless the server said that it cannot be.
      if (error instanceof StatusError) failure = error;
    });
    if (failure !== undefined) throw failure;
    return last;
  };

  const { promise: synced, resolve: markSynced } = Promise.withResolvers<void>();
  const run = async () => {
    let version: string | undefined;
    while (!stopping.signal.aborted) {
      try {
        if (version === undefined) {
          version = await list();
          markSynced();
        }
        version = await watchFrom(version);
      } catch (error) {
        if (error instanceof StatusError) version = undefined;
      }
      if (!stopping.signal.aborted) await pause(RETRY_MS);
    }
  };
  void run();

  return {
    get: (namespace, name) => known.get(`${namespace}/${name}`),
    all: () => known.values(),
    synced,
    stop: () => stopping.abort(),
  };
}

function keyOf(object: Identified): string {
  return `${object.metadata?.namespace ?? ""}/${object.metadata?.name ?? ""}`;
}
