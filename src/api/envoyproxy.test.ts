import { describe, expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { container, kubernetes, proxyCases, service } from "./envoyproxy.test-support.ts";
import { envoyProxyDefinition } from "./envoyproxy.ts";
import { formatFieldProblem } from "./field.ts";
import { validateObject } from "./kinds.ts";

function complaints(spec: unknown): string[] {
  const object = { apiVersion: "gateway.envoyproxy.io/v1alpha1", kind: "EnvoyProxy", metadata: { name: "a" }, spec };
  return validateObject(object).problems.map(formatFieldProblem);
}

function* rulesOf(schema: object): Generator<string> {
  for (const [key, value] of Object.entries(schema)) {
    if (key === "x-kubernetes-validations") for (const { message } of value as { message: string }[]) yield message;
    else if (typeof value === "object" && value !== null) yield* rulesOf(value as object);
  }
}

describe("every rule", () => {
  test.each(proxyCases)("%s", (message, valid, invalid) => {
    expect(complaints(valid)).toEqual([]);
    expect(complaints(invalid)).toEqual(
      expect.arrayContaining([expect.stringMatching(new RegExp(`: ${message.replace(/[().]/g, "\\$&")}$`))]),
    );
  });

  test("is in the list", () => {
    expect([...new Set(rulesOf(envoyProxyDefinition.spec))].sort()).toEqual(
      proxyCases.map(([message]) => message).sort(),
    );
  });
});

test.each([
  [
    "spec.provider.kubernetes.envoyDeployment.pod.volumes[0].emptyDir.sizelimit",
    kubernetes({ envoyDeployment: { pod: { volumes: [{ name: "v", emptyDir: { sizelimit: "1Gi" } }] } } }),
  ],
  [
    "spec.provider.kubernetes.envoyDeployment.initContainers[0].name",
    kubernetes({ envoyDeployment: { initContainers: [{ image: "a" }] } }),
  ],
  [
    "spec.provider.kubernetes.envoyDeployment.container.resources.limits.memory",
    container({ resources: { limits: { memory: "512MB" } } }),
  ],
])("%s is at fault", (field, spec) => {
  expect(complaints(spec)).toEqual([expect.stringContaining(field)]);
});

test("the EnvoyProxies of published guides are accepted as they are, with the defaults of an API server", () => {
  const guides = `
spec: {telemetry: {accessLog: {settings: [{format: {type: Text, text: "%START_TIME%"}, sinks: [{type: File, file: {path: /dev/stdout}}]}]}}}
---
spec: {telemetry: {accessLog: {settings: [{format: {type: JSON, json: {path: "%REQ(:PATH)%"}}, sinks: [{type: File, file: {path: /dev/stdout}}]}]}}}
---
spec: {telemetry: {tracing: {provider: {type: OpenTelemetry, openTelemetry: {host: collector.example.com, port: 4317}}, samplingRate: 100}}}
---
spec:
  provider:
    type: Kubernetes
    kubernetes:
      envoyDeployment:
        container: {resources: {requests: {cpu: 500m, memory: 512Mi}, limits: {cpu: "2", memory: 2Gi}}}
      envoyHpa:
        minReplicas: 3
        maxReplicas: 10
        metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
`;
  for (const document of parseAllDocuments(guides)) {
    const { spec } = document.toJS() as { spec: Record<string, unknown> };
    expect(complaints(spec)).toEqual([]);
  }
  const { object } = validateObject({
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "EnvoyProxy",
    metadata: { name: "a" },
    spec: service({}),
  });
  expect(object).toMatchObject({
    spec: {
      logging: { level: { default: "warn" } },
      provider: { kubernetes: { envoyService: { type: "LoadBalancer", externalTrafficPolicy: "Local" } } },
    },
  });
});
