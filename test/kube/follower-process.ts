/** A process that follows the ConfigMaps of one namespace through the address it is given, and tells its parent what it has. */
import { followedKinds } from "../../src/inputs/kubernetes/followed-kinds.ts";
import { type Mirror, startMirror } from "./input-world.ts";

/** Answer to any message. */
export interface FollowerReport {
  /** Values by key, with the object's uid. */
  readonly objects: Readonly<Record<string, string>>;
  readonly deletions: readonly string[];
  readonly synced: number;
}

const mirror: Mirror = startMirror({
  url: process.argv[2]!,
  token: "any",
  kinds: followedKinds.filter((kind) => kind.collection === "configMaps"),
  scope: { type: "Namespaces", namespaces: ["default"] },
  timing: { idleMilliseconds: 600, watchSeconds: 300 },
});

process.on("message", () => {
  const objects = Object.fromEntries(
    mirror.keys("configMaps").map((key) => {
      const object = mirror.get("configMaps", key) as unknown as {
        data?: { value?: string };
        metadata: { uid: string };
      };
      return [key, `${object.metadata.uid} ${object.data?.value}`];
    }),
  );
  const report: FollowerReport = { objects, deletions: mirror.deletions, synced: mirror.synced };
  process.send?.(report);
});
process.on("disconnect", () => process.exit(0));
