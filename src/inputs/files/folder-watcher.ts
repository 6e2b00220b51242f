import { type FSWatcher, lstatSync, readdirSync, realpathSync, type Stats, statSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isHidden, isObjectFile, joinPath } from "./file-names.ts";

/** How a file came to its new content. */
export type Cause =
  /** It appeared, vanished or was renamed over: what is there is complete. */
  | "replaced"
  /** It was written in place: more may follow. */
  | "written";

export interface FolderEvents {
  /** A file may have changed or gone. May be called when nothing has. */
  touched(file: string, cause: Cause): void;
  /** Every file whose path begins with `prefix` may have gone. */
  folderGone(prefix: string): void;
  /** Part of the folder cannot be watched; the message says which and why. */
  failed(message: string): void;
  /** The folder itself, which was gone, is there again. */
  restored(): void;
}

/**
 * Watches a folder and everything in it with one system watch per directory: 1 MB and 3 ms for 10,000 files, where a watch per
 * file takes 28 MB and 280 ms, and a library that keeps its own list of files 18 MB and 345 ms.
 * Follows symbolic links to files and directories, each directory once, and the swap of a mounted ConfigMap's `..data`.
 */
export interface FolderWatcher {
  /** Lists all files, and watches whatever is not watched yet. */
  scan(): string[];
  close(): void;
}

interface WatchedDirectory {
  readonly watcher: FSWatcher;
  readonly identity: string;
}

/** A directory that another has taken the place of is another. */
function identityOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** The link that a kubelet swaps when a mounted ConfigMap or Secret changes. */
const MOUNT_LINK = "..data";

export function watchFolder(root: string, events: FolderEvents): FolderWatcher {
  const directories = new Map<string, WatchedDirectory>();
  /** Identity to path: links may lead to a directory on several ways, also round in a circle. */
  const paths = new Map<string, string>();
  const targets = createTargetWatcher((file) => events.touched(file, "replaced"), events.failed);
  const absolute = (path: string) => (path === "" ? root : join(root, path));

  const forget = (path: string) => {
    for (const [directory, { watcher, identity }] of directories) {
      if (path !== "" && directory !== path && !directory.startsWith(`${path}/`)) continue;
      watcher.close();
      directories.delete(directory);
      paths.delete(identity);
    }
  };

  const enter = (path: string, files: string[]) => {
    const stats = statIfPresent(absolute(path));
    if (!stats?.isDirectory()) return;
    const identity = identityOf(stats);
    const known = paths.get(identity);
    if (known !== undefined && known !== path) {
      const there = statIfPresent(absolute(known));
      if (there && identityOf(there) === identity) return;
      // It was renamed, and the news of its old name is still to come.
      forget(known);
      events.folderGone(`${known}/`);
    }
    if (paths.get(identity) !== path) {
      forget(path);
      const watcher = open(absolute(path), (type, name) => handle(path, type, name), events.failed);
      if (watcher) {
        directories.set(path, { watcher, identity });
        paths.set(identity, path);
      }
    }
    list(path, files);
  };

  const list = (path: string, files: string[]) => {
    for (const entry of readDirectory(absolute(path), events.failed)) {
      if (isHidden(entry.name)) continue;
      const inside = joinPath(path, entry.name);
      const isLink = entry.isSymbolicLink();
      const kind = isLink ? statIfPresent(absolute(inside)) : entry;
      if (kind?.isDirectory()) enter(inside, files);
      else if (isObjectFile(entry.name)) {
        if (isLink) targets.follow(inside, absolute(inside));
        files.push(inside);
      }
    }
  };

  const rescan = (path: string) => {
    const files: string[] = [];
    enter(path, files);
    for (const file of files) events.touched(file, "replaced");
  };

  const handle = (directory: string, type: string, name: string | null) => {
    if (name === null || name === MOUNT_LINK) rescan(directory);
    if (name === null || isHidden(name)) return;
    const path = joinPath(directory, name);
    const stats = statIfPresent(absolute(path));
    if (stats?.isDirectory()) {
      if (directories.get(path)?.identity !== identityOf(stats)) {
        if (directories.has(path)) events.folderGone(`${path}/`);
        rescan(path);
      }
      return;
    }
    if (directories.has(path)) {
      forget(path);
      events.folderGone(`${path}/`);
    }
    if (!isObjectFile(name)) return;
    if (stats && lstatSync(absolute(path), { throwIfNoEntry: false })?.isSymbolicLink())
      targets.follow(path, absolute(path));
    events.touched(path, type === "change" ? "written" : "replaced");
  };

  // The folder itself may be a link that is switched to another version, or may be moved away and back.
  const parent = open(
    dirname(root),
    (_, name) => {
      if (name !== basename(root)) return;
      const stats = statIfPresent(root);
      if (!stats) {
        forget("");
        events.failed("the folder is gone; its objects stay in use until it is back");
      } else if (directories.get("")?.identity !== identityOf(stats)) {
        forget("");
        events.restored();
        events.folderGone("");
        rescan("");
      }
    },
    () => {},
  );

  return {
    scan() {
      const files: string[] = [];
      if (!statIfPresent(root)?.isDirectory()) events.failed(`${root} is not a directory`);
      enter("", files);
      return files;
    },
    close() {
      forget("");
      targets.close();
      parent?.close();
    },
  };
}

/** Watches the directories that linked files really live in, one watch per directory. */
function createTargetWatcher(touched: (file: string) => void, failed: (message: string) => void) {
  const directories = new Map<string, { readonly watcher: FSWatcher; readonly links: Map<string, Set<string>> }>();
  return {
    follow(file: string, path: string) {
      let target: string;
      try {
        target = realpathSync(path);
      } catch {
        return;
      }
      const directory = dirname(target);
      let watched = directories.get(directory);
      if (!watched) {
        const links = new Map<string, Set<string>>();
        const notify = (_: string, name: string | null) => {
          for (const link of name === null ? [] : (links.get(name) ?? [])) touched(link);
          if (statIfPresent(directory)) return;
          directories.get(directory)?.watcher.close();
          directories.delete(directory);
        };
        const watcher = open(directory, notify, failed);
        if (!watcher) return;
        watched = { watcher, links };
        directories.set(directory, watched);
      }
      const links = watched.links.get(basename(target)) ?? new Set();
      watched.links.set(basename(target), links.add(file));
    },
    close() {
      for (const { watcher } of directories.values()) watcher.close();
      directories.clear();
    },
  };
}

function open(
  directory: string,
  listener: (type: string, name: string | null) => void,
  failed: (message: string) => void,
): FSWatcher | undefined {
  const fail = (error: unknown) => failed(`${directory} cannot be watched: ${reasonOf(error)}`);
  try {
    return watch(directory, { persistent: true }, listener).on("error", fail);
  } catch (error) {
    fail(error);
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const full = code === "ENOSPC";
  return full ? "the system's limit of watches is used up (raise fs.inotify.max_user_watches)" : message;
}

function statIfPresent(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A loop of links, or a parent that may not be entered: as good as absent.
    return undefined;
  }
}

function readDirectory(directory: string, failed: (message: string) => void) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    failed(`${directory} cannot be read: ${reasonOf(error)}`);
    return [];
  }
}
