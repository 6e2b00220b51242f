import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** No call to a worker takes longer, unless the caller says so. */
const CALL_LIMIT_MS = 120_000;

interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** What a worker offers: each method takes one value and gives one, both structured-cloneable. */
// biome-ignore lint/suspicious/noExplicitAny: a parameter type that every method's own type is assignable to
export type Methods = Readonly<Record<string, (argument: any) => unknown>>;

export interface Worker<M extends Methods> {
  readonly pid: number;
  call<K extends keyof M & string>(
    method: K,
    argument: Parameters<M[K]>[0],
    limitMs?: number,
  ): Promise<Awaited<ReturnType<M[K]>>>;
  stop(): void;
}

/** Runs a file of this folder as a process of its own, so that what it measures and what it costs stay apart from the rest. */
export function startWorker<M extends Methods>(file: string, flags: readonly string[] = []): Worker<M> {
  const child: ChildProcess = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: [...flags],
    serialization: "advanced",
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  let calls = 0;
  child.on("message", (reply: Reply) => waiting.get(reply.id)?.(reply));
  child.on("exit", (code) => {
    for (const [id, settle] of waiting) settle({ id, error: `${file} ended with ${code}` });
  });
  return {
    pid: child.pid ?? 0,
    call(method, argument, limitMs = CALL_LIMIT_MS) {
      const id = ++calls;
      return new Promise((resolve, reject) => {
        const settle = (reply: Reply) => {
          clearTimeout(timer);
          waiting.delete(id);
          if (reply.error === undefined) resolve(reply.value as never);
          else reject(new Error(`${file}, ${method}: ${reply.error}`));
        };
        const timer = setTimeout(() => settle({ id, error: `no answer in ${limitMs} ms` }), limitMs);
        waiting.set(id, settle);
        child.send({ id, method, argument } satisfies Call);
      });
    },
    stop() {
      child.removeAllListeners("exit");
      child.kill("SIGKILL");
    },
  };
}

/** The worker's side. Ends with the parent. */
export function serve(methods: Methods): void {
  process.on("disconnect", () => process.exit(0));
  process.on("message", async ({ id, method, argument }: Call) => {
    let reply: Reply;
    try {
      reply = { id, value: await methods[method]?.(argument) };
    } catch (error) {
      reply = { id, error: String(error) };
    }
    process.send?.(reply);
  });
}
