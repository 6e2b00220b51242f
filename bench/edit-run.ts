import { processCpu } from "../test/harness/process.ts";
import { pause } from "../test/harness/waiting.ts";
import { type Applier, type EditKind, type EditRun, planEdits, recordLatencies, runEdits } from "./edits.ts";
import type { Recorder } from "./results.ts";
import { recordLoad, type Stage, startSteadyLoad } from "./stage.ts";
import type { TableOptions } from "./table.ts";

/** Idling and the load are measured for so long before the first edit, to know what they cost by themselves. */
const BASELINE_MS = 3_000;
const MILLISECONDS_PER_SECOND = 1_000;

/** A control plane whose edits are measured, and its Envoy. */
export interface Subject {
  readonly applier: Applier;
  /** Seconds of CPU of the control plane's process. */
  cpuSeconds(): number;
  /** Value of a metric of the control plane, summed over labels. */
  metric(name: string): Promise<number>;
  readonly envoyPid: number;
}

interface Snapshot {
  readonly control: number;
  readonly envoy: number;
  readonly bytes: number;
  readonly resources: number;
}

/** The edits under traffic, with what they cost the two processes and the wire. Costs of the load and of idling are taken off. */
export async function measureEdits(stage: Stage, table: TableOptions, subject: Subject): Promise<EditRun> {
  const load = await startSteadyLoad(stage, table);
  const idleBefore = await snapshot(subject);
  await pause(BASELINE_MS);
  const idle = await snapshot(subject);
  const perSecond = (key: "control" | "envoy") =>
    (idle[key] - idleBefore[key]) / (BASELINE_MS / MILLISECONDS_PER_SECOND);
  const baseline = { control: perSecond("control"), envoy: perSecond("envoy") };
  const before = new Map<EditKind, Snapshot>();
  const after = new Map<EditKind, Snapshot>();
  const edits = planEdits(table, stage.routes, stage.edits, stage.backends.b);
  const run = await runEdits(edits, subject.applier, stage.prober, async (kind, moment) => {
    (moment === "before" ? before : after).set(kind, await snapshot(subject));
  });
  recordLoad(stage.recorder, "", await load.stop(), run.odd);
  recordLatencies(stage.recorder, "", run);
  const cost = (kinds: readonly EditKind[]): Snapshot => {
    let [control, envoy, bytes, resources] = [0, 0, 0, 0];
    for (const kind of kinds) {
      const [from, to, seconds] = [before.get(kind)!, after.get(kind)!, run.seconds.get(kind)!];
      control += to.control - from.control - baseline.control * seconds;
      envoy += to.envoy - from.envoy - baseline.envoy * seconds;
      bytes += to.bytes - from.bytes;
      resources += to.resources - from.resources;
    }
    const count = kinds.length * stage.edits;
    const ms = (seconds: number) => (Math.max(0, seconds) * MILLISECONDS_PER_SECOND) / count;
    return { control: ms(control), envoy: ms(envoy), bytes: bytes / count, resources: resources / count };
  };
  recordCosts(stage.recorder, cost(["add", "update", "delete"]), cost(["endpoint"]));
  return run;
}

async function snapshot({ cpuSeconds, metric, envoyPid }: Subject): Promise<Snapshot> {
  return {
    control: cpuSeconds(),
    envoy: processCpu(envoyPid).main,
    bytes: await metric("gatehouse_xds_bytes_sent_total"),
    resources: await metric("gatehouse_xds_resources_sent_total"),
  };
}

function recordCosts(recorder: Recorder, route: Snapshot, endpoint: Snapshot): void {
  recorder.add("control_plane_cpu_per_edit", "ms", route.control);
  recorder.add("control_plane_cpu_per_endpoint_edit", "ms", endpoint.control);
  recorder.add("envoy_cpu_per_edit", "ms", route.envoy);
  recorder.add("envoy_cpu_per_endpoint_edit", "ms", endpoint.envoy);
  recorder.add("bytes_per_edit", "bytes", route.bytes);
  recorder.add("bytes_per_endpoint_edit", "bytes", endpoint.bytes);
  recorder.add("resources_per_edit", "count", route.resources);
}
