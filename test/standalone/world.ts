import { type Backend, type BackendOptions, type ReceivedRequest, startBackend } from "../harness/backend.ts";
import { type ClientAnswer, type ClientRequest, send } from "../harness/client.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../harness/directory.ts";
import { type GatehouseProcess, startGatehouse } from "../harness/gatehouse.ts";
import { gatewayYaml, backendYaml as writeBackend } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";

export interface Answer extends ClientAnswer {
  /** What the backend says that it received; undefined when the answer is Envoy's own. */
  readonly received?: ReceivedRequest;
}

/** Without `port` to the world's own. */
export type RequestOptions = Omit<ClientRequest, "port"> & { readonly host: string; readonly port?: number };

/** A folder, a running standalone gateway on it, and backends that answer with what they received. */
export interface World {
  readonly files: TemporaryDirectory;
  readonly port: number;
  readonly gatehouse: () => GatehouseProcess;
  restart(): Promise<void>;
  /** Starts a backend, which ends with the world. */
  backend(name: string, options?: Omit<BackendOptions, "name">): Promise<Backend>;
  send(options: RequestOptions): Promise<Answer>;
  /** Sends until the answer pleases; fails after a bounded wait. */
  until(options: RequestOptions, pleases: (answer: Answer) => boolean, limitMs?: number): Promise<Answer>;
  stop(): Promise<void>;
}

/** A document of its own: what follows it in a file begins a new one. */
export const backendYaml = (name: string, port: number) => `${writeBackend({ name, port })}\n`;

/** `rules` is YAML in flow style: the value of `spec.rules`. It stands on the eighth line. */
export const routeYaml = (name: string, host: string, rules: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}}
spec:
  parentRefs: [{name: web}]
  hostnames: ["${host}"]
  rules: ${rules}
`;

export const toBackend = (name: string, weight = 1) =>
  `{group: gateway.envoyproxy.io, kind: Backend, name: ${name}, weight: ${weight}}`;

/**
 * @param env added to the environment of Gatehouse
 * @param args added to its command line
 */
export async function createWorld(env: NodeJS.ProcessEnv = {}, args: readonly string[] = []): Promise<World> {
  const files = temporaryDirectory();
  const port = await freePort();
  files.writeAtomically("gateway.yaml", gatewayYaml({ name: "web", port }));
  let gatehouse = await startGatehouse({ directory: files.path, env, args });
  const backends: Backend[] = [];
  const sendHere = async (options: RequestOptions): Promise<Answer> => {
    const answer = await send({ port, ...options });
    const received = parseReceived(answer.body);
    return received === undefined ? answer : { ...answer, received };
  };
  return {
    files,
    port,
    gatehouse: () => gatehouse,
    async restart() {
      gatehouse = await startGatehouse({ directory: files.path, env: gatehouse.env, args });
    },
    async backend(name, options) {
      const backend = await startBackend({ ...options, name });
      backends.push(backend);
      return backend;
    },
    send: sendHere,
    until: (options, pleases, limitMs) =>
      waitFor(
        `an answer on ${options.host}${options.path ?? "/"}`,
        async () => {
          const answer = await sendHere(options);
          if (pleases(answer)) return answer;
          throw new Error(`status ${answer.status}: ${answer.body.slice(0, 200)}`);
        },
        limitMs,
      ),
    async stop() {
      await gatehouse.stop();
      await Promise.all(backends.map((backend) => backend.stop()));
      files.discard();
    },
  };
}

function parseReceived(body: string): ReceivedRequest | undefined {
  try {
    const parsed = JSON.parse(body) as ReceivedRequest;
    return typeof parsed.backend === "string" ? parsed : undefined;
  } catch {
    return undefined;
  }
}
