import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { waitFor } from "../harness/waiting.ts";
import { quickstart, START_LIMIT_MS, STEP_LIMIT_MS, SYSTEM, startWorld, statusCode, type World } from "./world.ts";

/** Global rate limits in a real cluster: the operator deploys the real service, which counts in a real Redis for two Envoys. */

const counting = `
    rateLimit:
      backend: {type: Redis, redis: {url: "redis.${SYSTEM}.svc:6379"}}
      failClosed: true
      timeout: 5s`;
const configuration = (fields: string) => `
apiVersion: v1
kind: ConfigMap
metadata: {name: gatehouse-configuration, namespace: ${SYSTEM}}
data:
  gatehouse.yaml: |
    apiVersion: gateway.envoyproxy.io/v1alpha1
    kind: EnvoyGateway
    provider: {type: Kubernetes}
    envoyProxy: {provider: {type: Kubernetes, kubernetes: {envoyDeployment: {replicas: 2}}}}${fields}
`;
const manifests = readFileSync(new URL("rate-limit.yaml", import.meta.url), "utf8");
const SERVICE = "envoy-ratelimit";

let world: World;
let address: string;
const getJson = async (...args: string[]) => JSON.parse(await world.kubectl("get", ...args, "-o", "json"));
const services = async () =>
  (await getJson("deploy", "-n", SYSTEM, "-l", "app.kubernetes.io/component=ratelimit")).items;
const answers = async (path: string, times: number) => {
  const statuses: (number | undefined)[] = [];
  for (let time = 0; time < times; time++) statuses.push(await statusCode(address, path));
  return statuses;
};
/** Of all ancestors of a policy. */
const accepted = async (policy: string): Promise<{ status: string; message: string }[]> => {
  const { status } = await getJson(`btp/${policy}`, "-n", "default");
  const all = (status?.ancestors ?? []) as { conditions: { type: string; status: string; message: string }[] }[];
  return all.flatMap(({ conditions }) => conditions).filter(({ type }) => type === "Accepted");
};

beforeAll(async () => {
  world = await startWorld();
  await world.install("config/default", (manifest) => !manifest.includes("name: gatehouse-configuration\n  namespace"));
  await world.apply([configuration(counting), quickstart, manifests].join("\n---\n"));
  address = await world.untilServed("eg", "/", START_LIMIT_MS);
}, 2 * START_LIMIT_MS);

afterAll(() => world?.cluster.stop(), START_LIMIT_MS);

test(
  "a limit holds for all Envoys together",
  async () => {
    await waitFor(
      "two Envoys",
      async () => /2 Envoys connected/.test(await world.kubectl("describe", "gateway", "eg")),
      STEP_LIMIT_MS,
    );
    // Told to neither Envoy before it serves the route, and to the service with the other limit.
    await waitFor(
      "the service to know its limits",
      async () => (await answers("/closed", 8)).every((each) => each === 429),
      STEP_LIMIT_MS,
    );
    const seen = await answers("/limited", 12);
    expect(seen.filter((status) => status === 200)).toHaveLength(3);
    expect(seen.filter((status) => status === 429)).toHaveLength(9);
    expect(await accepted("limited")).toEqual([expect.objectContaining({ status: "True" })]);
  },
  3 * STEP_LIMIT_MS,
);

test("the service runs without privileges, and nobody is told more than it needs", async () => {
  const [deployment] = await services();
  const pod = deployment.spec.template.spec;
  expect(pod).toMatchObject({ serviceAccountName: SERVICE, automountServiceAccountToken: false });
  expect(pod.containers[0].securityContext).toMatchObject({
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
  });
  const secrets = (await getJson("secrets", "-n", SYSTEM)).items as { metadata: { name: string } }[];
  expect(secrets.map(({ metadata }) => metadata.name)).toEqual(
    expect.arrayContaining([`${SERVICE}-client`, `${SERVICE}-server`]),
  );
});

test(
  "while nobody counts, requests are refused, and limits know what they counted when somebody does again",
  async () => {
    await world.kubectl("scale", "deploy", SERVICE, "-n", SYSTEM, "--replicas=0");
    await waitFor("500", async () => (await answers("/limited", 4)).every((each) => each === 500), STEP_LIMIT_MS);
    expect(await statusCode(address, "/")).toBe(200);
    await world.kubectl("scale", "deploy", SERVICE, "-n", SYSTEM, "--replicas=1");
    await waitFor("429", async () => (await answers("/limited", 4)).every((each) => each === 429), STEP_LIMIT_MS);
  },
  3 * STEP_LIMIT_MS,
);

test(
  "without the field there is no service, and policies say so",
  async () => {
    await world.apply(configuration(""));
    await waitFor("the service to be gone", async () => (await services()).length === 0, START_LIMIT_MS);
    await waitFor(
      "the policy to be refused",
      async () =>
        (await accepted("limited")).some(
          ({ status, message }) => status === "False" && /rate limit service/.test(message),
        ),
      STEP_LIMIT_MS,
    );
    await waitFor("500", async () => (await statusCode(address, "/limited")) === 500, STEP_LIMIT_MS);
    expect(
      (await getJson("secrets", "-n", SYSTEM)).items.map(
        ({ metadata }: { metadata: { name: string } }) => metadata.name,
      ),
    ).not.toContain(`${SERVICE}-server`);
  },
  START_LIMIT_MS + 3 * STEP_LIMIT_MS,
);
