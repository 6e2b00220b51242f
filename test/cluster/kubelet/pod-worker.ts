import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type SupervisedContainer, superviseContainer, TERMINATION_LOG } from "./container.ts";
import { createEventRecorder, type RecordEvent } from "./events.ts";
import { planLaunch } from "./launch-plan.ts";
import { type ContainerLog, createContainerLog } from "./logs.ts";
import type { Container, NodeContext, Pod, PodCondition } from "./objects.ts";
import { describePod, hasSucceeded, isSidecar, stampConditions } from "./pod-status.ts";
import { sleep } from "./probing.ts";
import { createSandbox, type Sandbox } from "./sandbox.ts";
import { createStatusWriter, type StatusWriter } from "./status-writer.ts";

const SETUP_RETRY_MS = 500;
const DEFAULT_GRACE_SECONDS = 30;

/** One pod from its start to the confirmation of its deletion. */
export class PodWorker {
  /** Newest state of the object; its spec never changes in a way that matters here. */
  #pod: Pod;
  readonly #context: NodeContext;
  readonly #folder: string;
  readonly #record: RecordEvent;
  readonly #writer: StatusWriter;
  readonly #startTime = now();
  readonly #logs = new Map<string, ContainerLog>();
  readonly #initContainers: readonly SupervisedContainer[];
  readonly #containers: readonly SupervisedContainer[];
  readonly #terminating = new AbortController();
  readonly #running: Promise<void>;
  readonly #onGone: () => void;
  #sandbox: Sandbox | undefined;
  #finished = false;
  #conditions: readonly PodCondition[] = [];

  /** Starts at once. `onGone` is called when nothing of the pod is left. */
  constructor(pod: Pod, context: NodeContext, onGone: () => void) {
    this.#pod = pod;
    this.#context = context;
    this.#folder = join(context.folder, pod.metadata.uid);
    this.#record = createEventRecorder(context.rest, pod, pod.spec.nodeName ?? "");
    this.#writer = createStatusWriter(context.rest, pod);
    this.#onGone = onGone;
    this.#initContainers = (pod.spec.initContainers ?? []).map((container) => this.#supervise(container));
    this.#containers = pod.spec.containers.map((container) => this.#supervise(container));
    this.#running = this.#run();
    this.update(pod);
  }

  /** Takes in the newest state of the object, which may ask for deletion. */
  update(pod: Pod): void {
    this.#pod = pod;
    if (pod.metadata.deletionTimestamp !== undefined) {
      void this.#terminate((pod.metadata.deletionGracePeriodSeconds ?? 0) * 1_000);
    } else if (pod.spec.readinessGates !== undefined) this.#report();
    this.#writer.correct(pod.status);
    this.refresh();
  }

  /** Brings the volumes up to date: an object that they come from changed, or it is time to renew tokens. */
  refresh(): void {
    if (this.#finished || this.#terminating.signal.aborted) return;
    this.#sandbox?.volumes.refresh(this.#pod).catch((error) => this.#record("Warning", "FailedMount", String(error)));
  }

  /** The object has gone without our confirmation: everything ends at once. */
  async abandon(): Promise<void> {
    this.#writer.close();
    const isFirst = !this.#terminating.signal.aborted;
    this.#terminating.abort();
    await this.#stopAll(0);
    await this.#running;
    if (isFirst) await this.#release();
  }

  log(container: string): ContainerLog | undefined {
    return this.#logs.get(container);
  }

  async #run(): Promise<void> {
    this.#report();
    await this.#insist("FailedCreatePodSandBox", async () => {
      this.#sandbox = await createSandbox(this.#pod, this.#context, this.#folder);
    });
    this.#report();
    await this.#insist("FailedMount", async () => {
      const obstacle = await this.#sandbox!.volumes.refresh(this.#pod);
      if (obstacle !== undefined) throw new Error(obstacle.message);
    });
    if (await this.#initialize()) {
      for (const container of this.#containers) container.start();
      await Promise.all(this.#containers.map((container) => container.ended));
    }
    if (this.#terminating.signal.aborted) return;
    // All have ended by themselves: a sidecar has nobody left to serve.
    await this.#stopInitContainers(Date.now() + graceOf(this.#pod) * 1_000);
    this.#finished = true;
    this.#report();
  }

  /** Tries until it works or the pod is to end. */
  async #insist(reason: string, work: () => Promise<void>): Promise<void> {
    while (!this.#terminating.signal.aborted) {
      try {
        await work();
        return;
      } catch (error) {
        this.#record("Warning", reason, error instanceof Error ? error.message : String(error));
        await sleep(SETUP_RETRY_MS, this.#terminating.signal);
      }
    }
  }

  /** False when an init container has failed for good, or when the pod is to end. */
  async #initialize(): Promise<boolean> {
    for (const container of this.#initContainers) {
      if (this.#terminating.signal.aborted) return false;
      container.start();
      await (isSidecar(container) ? container.started : container.ended);
      if (!isSidecar(container) && !hasSucceeded(container.view())) return false;
    }
    return !this.#terminating.signal.aborted;
  }

  /** Ends all containers, reports how, and confirms the deletion. A second call can only shorten the grace. */
  async #terminate(graceMs: number): Promise<void> {
    const isFirst = !this.#terminating.signal.aborted;
    this.#terminating.abort();
    const stopped = this.#stopAll(graceMs);
    if (!isFirst) return;
    await stopped;
    await this.#running;
    this.#finished = true;
    this.#report();
    await this.#writer.settle();
    await this.#writer.confirmDeletion();
    await this.#release();
  }

  async #stopAll(graceMs: number): Promise<void> {
    const deadline = Date.now() + graceMs;
    await Promise.all(this.#containers.map((container) => container.stop(graceMs)));
    await this.#stopInitContainers(deadline);
  }

  /** Sidecars end after the containers that they serve, the last one first, in what is left of the grace. */
  async #stopInitContainers(deadline: number): Promise<void> {
    for (const container of [...this.#initContainers].reverse())
      await container.stop(Math.max(0, deadline - Date.now()));
  }

  async #release(): Promise<void> {
    await this.#sandbox?.remove();
    rmSync(this.#folder, { recursive: true, force: true });
    this.#onGone();
  }

  #report(): void {
    const status = describePod({
      pod: this.#pod,
      podAddress: this.#sandbox?.facts.podAddress,
      nodeAddress: this.#context.nodeAddress,
      startTime: this.#startTime,
      initContainers: this.#initContainers,
      containers: this.#containers,
      finished: this.#finished,
    });
    this.#conditions = stampConditions(status.conditions ?? [], this.#conditions, now());
    const { generation } = this.#pod.metadata;
    this.#writer.write({ ...status, conditions: [...this.#conditions], observedGeneration: generation });
  }

  #supervise(container: Container): SupervisedContainer {
    const { uid } = this.#pod.metadata;
    const folder = join(this.#folder, "containers", container.name);
    const lastWords = join(folder, TERMINATION_LOG);
    mkdirSync(folder, { recursive: true });
    const log = createContainerLog(join(folder, "log"));
    this.#logs.set(container.name, log);
    return superviseContainer({
      container,
      id: `${uid}-${container.name}`,
      folder,
      log,
      restartPolicy: restartPolicyOf(container, this.#pod),
      graceMs: graceOf(this.#pod) * 1_000,
      record: this.#record,
      prepare: () => {
        writeFileSync(lastWords, "");
        // Whatever user the container runs as may leave last words.
        chmodSync(lastWords, 0o666);
        const destination = container.terminationMessagePath ?? "/dev/termination-log";
        const files = [{ source: lastWords, destination, readOnly: false }];
        return planLaunch({ container, pod: this.#pod, context: this.#context, sandbox: this.#sandbox!, files });
      },
      podAddress: () => this.#sandbox!.facts.podAddress,
      onChange: () => this.#report(),
    });
  }
}

function graceOf(pod: Pod): number {
  return pod.spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
}

function restartPolicyOf(container: Container, pod: Pod): "Always" | "OnFailure" | "Never" {
  if (container.restartPolicy === "Always") return "Always";
  const policy = pod.spec.restartPolicy ?? "Always";
  const isInit = pod.spec.initContainers?.some((candidate) => candidate.name === container.name);
  // An init container that has succeeded is not run again.
  return isInit && policy === "Always" ? "OnFailure" : policy;
}

/** Kubernetes' times have whole seconds. */
function now(): string {
  return new Date().toISOString().replace(/\.\d+/, "");
}
