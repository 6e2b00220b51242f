import type { Rest } from "../rest.ts";
import type { Pod } from "./objects.ts";

export type RecordEvent = (type: "Normal" | "Warning", reason: string, message: string) => void;

const REPEAT_MS = 10_000;
let counter = 0;

/** Writes Events about a pod, for `kubectl describe`. Best effort; the same one again at most every ten seconds. */
export function createEventRecorder(rest: Rest, pod: Pod, node: string): RecordEvent {
  const { name, namespace, uid } = pod.metadata;
  const recent = new Map<string, number>();
  return (type, reason, message) => {
    const now = Date.now();
    const key = `${reason} ${message}`;
    if (now - (recent.get(key) ?? 0) < REPEAT_MS) return;
    recent.set(key, now);
    const time = new Date(now).toISOString().replace(/\.\d+/, "");
    const body = {
      metadata: { name: `${name}.${now.toString(16)}${(counter++).toString(16)}`, namespace },
      involvedObject: { apiVersion: "v1", kind: "Pod", name, namespace, uid },
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component: "kubelet", host: node },
      reportingComponent: "kubelet",
      reportingInstance: node,
    };
    rest.ask(`/api/v1/namespaces/${namespace}/events`, { method: "POST", body }).catch(() => {});
  };
}
