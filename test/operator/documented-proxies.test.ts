import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { waitFor } from "../harness/waiting.ts";
import { installCrds } from "../kube/gateway-api.ts";
import { images } from "./images.ts";

/** EnvoyProxies as documentation shows them do in a real cluster what they say. */

const START_LIMIT_MS = 240_000;
const STEP_LIMIT_MS = 90_000;
const root = fileURLToPath(new URL("../../", import.meta.url));
const PROXIES = "gatehouse-system";
const GATEWAYS = "gateway-system";

let cluster: Cluster;
const kubectl = (...args: string[]) => cluster.kubectl(args);
const fixture = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");

beforeAll(async () => {
  cluster = await startCluster({ images });
  await installCrds(cluster);
  await kubectl("apply", "--server-side", "-k", join(root, "config/default"));
  await cluster.kubectl(["apply", "-f", "-"], fixture("proxied-gateways.yaml"));
  await cluster.kubectl(["apply", "--validate=strict", "-f", "-"], fixture("documented-proxies.yaml"));
}, START_LIMIT_MS);

afterAll(() => cluster?.stop(), START_LIMIT_MS);

const labelled = (gateway: string) => ["-l", `gateway.envoyproxy.io/owning-gateway-name=${gateway}`];
const readObject = async (...args: string[]) => JSON.parse(await kubectl("get", ...args, "-o", "json"));

/** A request to a Gateway, when it serves. */
async function ask(gateway: string, path: string): Promise<void> {
  await waitFor(
    `an answer of Gateway ${gateway}`,
    async () => {
      const { status } = await readObject("gateway", gateway, "-n", GATEWAYS);
      const address = status?.addresses?.[0]?.value;
      if (address === undefined) return false;
      const headers = { "user-agent": "tester/1", "x-forwarded-for": "192.0.2.7" };
      const answer = await fetch(`http://${address}${path}`, { headers, signal: AbortSignal.timeout(2_000) });
      await answer.text();
      return answer.status === 200;
    },
    STEP_LIMIT_MS,
  );
}

/** What the Envoys of a Gateway have written on their standard output, once a line is as wanted. */
function untilLogged(gateway: string, wanted: RegExp): Promise<string> {
  return waitFor(
    `a line of the log of Gateway ${gateway}`,
    async () => {
      const text = await kubectl("logs", "-n", PROXIES, ...labelled(gateway), "-c", "envoy", "--tail=-1");
      return text.split("\n").find((line) => wanted.test(line));
    },
    STEP_LIMIT_MS,
  );
}

test(
  "requests are logged as the text says",
  async () => {
    await ask("text", "/text?b=c");
    const line = await untilLogged("text", /GET \/text/);
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
    const requestId = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
    const addresses = String.raw`"192\.0\.2\.7,[0-9.]+"`;
    expect(line).toMatch(
      new RegExp(
        String.raw`^\[${time}\] "GET /text\?b=c HTTP/1\.1" 200 - 0 \d+ \d+ ${addresses} "tester/1" "${requestId}" "[0-9.]+" "[0-9.]+:3000"$`,
      ),
    );
  },
  START_LIMIT_MS,
);

test(
  "requests are logged in JSON with the fields that are written down",
  async () => {
    await ask("json", "/json");
    expect(JSON.parse(await untilLogged("json", /"\/json"/))).toEqual({
      start_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      method: "GET",
      path: "/json",
      response_code: 200,
      upstream_host: expect.stringMatching(/^[0-9.]+:3000$/),
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  },
  START_LIMIT_MS,
);

test(
  "spans reach the collector that the shorthand names, and a Warning names the API's own field",
  async () => {
    const span = await waitFor(
      "a span",
      async () => {
        await ask("traced", "/seen");
        const lines = await kubectl("logs", "-n", "observability", "deployment/otel-collector", "--tail=-1");
        const spans = lines.split("\n").filter((line) => line.startsWith("{"));
        return spans
          .map((line) => JSON.parse(line))
          .find(({ attributes }) => attributes["http.url"]?.endsWith("/seen"));
      },
      STEP_LIMIT_MS,
    );
    expect(span).toMatchObject({
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      resource: { "service.name": `traced.${GATEWAYS}` },
      attributes: { "http.method": "GET", "http.status_code": "200" },
    });
    const { status } = await readObject("envoyproxy", "tracing-config", "-n", GATEWAYS);
    expect(status.ancestors).toMatchObject([{ ancestorRef: { kind: "Gateway", name: "traced" } }]);
    expect(status.ancestors[0].conditions).toMatchObject([
      { type: "Accepted", status: "True" },
      { type: "Warning", status: "True", message: expect.stringContaining("spec.telemetry.tracing.provider.host,") },
    ]);
  },
  START_LIMIT_MS,
);

test(
  "resources are the container's, and the autoscaler says how many pods there are",
  async () => {
    const [{ spec: scaler }] = (await readObject("hpa", "-n", PROXIES, ...labelled("sized"))).items;
    expect(scaler).toMatchObject({
      minReplicas: 3,
      maxReplicas: 10,
      metrics: [{ type: "Resource", resource: { name: "cpu", target: { averageUtilization: 70 } } }],
    });
    // A Deployment starts with one pod; nobody but the autoscaler asks for three.
    const deployment = await waitFor(
      "three pods that are ready",
      async () => {
        const [one] = (await readObject("deployment", "-n", PROXIES, ...labelled("sized"))).items;
        return one?.status?.readyReplicas === 3 ? one : undefined;
      },
      STEP_LIMIT_MS,
    );
    const envoy = deployment.spec.template.spec.containers.find(({ name }: { name: string }) => name === "envoy");
    expect(envoy.resources).toEqual({
      requests: { cpu: "500m", memory: "512Mi" },
      limits: { cpu: "2", memory: "2Gi" },
    });
    const live = await readObject("deployment", deployment.metadata.name, "-n", PROXIES, "--show-managed-fields");
    const owners = live.metadata.managedFields.filter(({ fieldsV1 }: { fieldsV1: { "f:spec"?: object } }) =>
      Object.hasOwn(fieldsV1["f:spec"] ?? {}, "f:replicas"),
    );
    expect(owners.map(({ manager }: { manager: string }) => manager)).not.toContain("gatehouse");
    await ask("sized", "/any");
  },
  START_LIMIT_MS,
);
