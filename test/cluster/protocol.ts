import type { User } from "./control-plane.ts";
import type { Image } from "./images.ts";
import type { NodeDescription } from "./kubelet/node.ts";

/** The first line that the inside of a cluster gets. */
export interface InsideOptions {
  /** Part of every address, see `addresses.ts`. */
  readonly slot: number;
  readonly directory: string;
  readonly images: readonly Image[];
  readonly nodes: readonly NodeDescription[];
  readonly users: readonly User[];
  readonly apiServerArgs: readonly string[];
  readonly loadBalancerClasses: readonly string[];
}

export type ClusterOrder = { readonly id: number } & (
  | { readonly do: "down"; readonly signal: "SIGTERM" | "SIGKILL" }
  | { readonly do: "up" }
);

export type ClusterMessage =
  /** The namespaces exist; the link from the machine can be made. */
  | { readonly event: "entered" }
  | { readonly event: "ready" }
  | { readonly event: "failed"; readonly message: string }
  | { readonly event: "done"; readonly id: number }
  | { readonly event: "refused"; readonly id: number; readonly message: string };
