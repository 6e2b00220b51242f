import type { Image } from "./images.ts";

/** Images that hold nothing but a shell and the usual tools: this machine's own do. */
export const images: readonly Image[] = ["busybox*", "*/busybox*", "alpine*", "*/alpine*", "debian*", "ubuntu*"].map(
  (pattern) => ({ pattern, command: ["sh"] }),
);
