/** What stands in for a container image. */
export interface Image {
  /** Matched against the whole image reference; `*` stands for anything. The first match of a list counts. */
  readonly pattern: string;
  /**
   * Path in the container → file or folder of this machine, mounted read-only. Not below the system folders that every
   * container shares with the machine (`/usr/bin`, `/usr/lib`, …): `/usr/local`, `/app`, `/opt` and the like.
   */
  readonly files?: Readonly<Record<string, string>>;
  /** The image's ENTRYPOINT and CMD: a pod's `command` replaces both, its `args` the latter. */
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default `/`. */
  readonly workingDirectory?: string;
  /** Default 0. */
  readonly user?: number;
  /** Default: as the user. */
  readonly group?: number;
}

/** The first image whose pattern matches. */
export function findImage(images: readonly Image[], reference: string): Image | undefined {
  return images.find(({ pattern }) => matches(pattern, reference));
}

function matches(pattern: string, reference: string): boolean {
  const expression = pattern
    .split("*")
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
    .join(".*");
  return new RegExp(`^${expression}$`).test(reference);
}
