import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { Command } from "commander";
import { envoyGatewayDefinition, logComponents, refusedFields } from "../api/envoygateway.ts";
import { formatPath } from "../api/field.ts";
import { readConfiguration } from "./config.ts";
import { parseConfiguration } from "./config-file.ts";
import { createLogLevels } from "./config-logging.ts";
import {
  addOperatorOptions,
  controllerNamesOf,
  type OperatorFlags,
  readPodIdentity,
  watchScopeOf,
} from "./config-pod.ts";

const head = { apiVersion: "gateway.envoyproxy.io/v1alpha1", kind: "EnvoyGateway" };
const kubernetes = (fields: object) => ({ provider: { type: "Kubernetes", kubernetes: fields } });

const counting = (redis: object = { url: "redis:6379" }) => ({ backend: { type: "Redis", redis } });

function problemsOf(fields: object): string[] {
  const { problems = [] } = readConfiguration({ ...head, ...fields });
  return problems.map(({ path, message }) => `${formatPath(path)}: ${message}`);
}

const read = (fields: object) => {
  expect(problemsOf(fields)).toEqual([]);
  const answer = readConfiguration({ ...head, ...fields });
  return answer.problems === undefined ? answer.configuration : undefined;
};

test("a file that says nothing is a configuration of defaults", () => {
  const expected = {
    controllerName: "gatehouse.dev/gateway-controller",
    watch: { type: "All" },
    deploy: "ControllerNamespace",
    leaderElection: {
      enabled: true,
      leaseMilliseconds: 15_000,
      renewDeadlineMilliseconds: 10_000,
      retryMilliseconds: 2_000,
    },
    logging: { levels: {} },
    admin: { host: "127.0.0.1", port: 19_000 },
    prometheus: true,
    xds: {},
    backends: true,
  };
  expect(readConfiguration(undefined)).toEqual({ configuration: expected });
  expect(read({})).toEqual(expected);
  expect(read({ provider: { type: "Kubernetes" }, gateway: {}, logging: {} })).toEqual(expected);
});

test("every field that is served says something", () => {
  const configuration = read({
    gateway: { controllerName: "gateway.envoyproxy.io/gatewayclass-controller" },
    ...kubernetes({
      watch: { type: "Namespaces", namespaces: ["a", "b"] },
      deploy: { type: "GatewayNamespace" },
      leaderElection: { leaseDuration: "30s", renewDeadline: "20s", retryPeriod: "1s500ms", disable: true },
      client: { rateLimit: { qps: 7 } },
      shutdownManager: { image: "registry.example/gatehouse:1" },
    }),
    logging: {
      level: { default: "warn", "xds-server": "trace", provider: "critical", status: "off" },
      encoder: "Text",
    },
    admin: { address: { host: "0.0.0.0", port: 0 } },
    telemetry: { metrics: { prometheus: { disable: true } } },
    xdsServer: { maxConnectionAge: "10h", maxConnectionAgeGrace: "0s", maxReceiveMessageSize: "128Mi" },
    extensionApis: { enableBackend: false },
    envoyProxy: { concurrency: 2 },
  });
  expect(configuration).toEqual({
    controllerName: "gateway.envoyproxy.io/gatewayclass-controller",
    watch: { type: "Namespaces", namespaces: ["a", "b"] },
    deploy: "GatewayNamespace",
    leaderElection: {
      enabled: false,
      leaseMilliseconds: 30_000,
      renewDeadlineMilliseconds: 20_000,
      retryMilliseconds: 1_500,
    },
    clientRate: { queriesPerSecond: 7, burst: 100 },
    shutdownManagerImage: "registry.example/gatehouse:1",
    logging: {
      levels: { default: "warn", "xds-server": "debug", provider: "error", status: "off" },
      format: "text",
    },
    admin: { host: "0.0.0.0", port: 0 },
    prometheus: false,
    xds: {
      maxConnectionAgeMilliseconds: 36_000_000,
      maxConnectionAgeGraceMilliseconds: 0,
      receiveLimitBytes: 134_217_728,
    },
    backends: false,
    envoyProxy: { concurrency: 2, logging: { level: { default: "warn" } } },
  });
});

test("namespaces are chosen by labels too", () => {
  const namespaceSelector = {
    matchLabels: { team: "a" },
    matchExpressions: [
      { key: "stage", operator: "In", values: ["prod", "test"] },
      { key: "legacy", operator: "DoesNotExist" },
    ],
  };
  expect(read(kubernetes({ watch: { type: "NamespaceSelector", namespaceSelector } }))?.watch).toEqual({
    type: "NamespaceSelector",
    selector: "team=a,stage in (prod,test),!legacy",
  });
});

test.each([
  [{ gateway: { controllerName: "no-slash" } }, /^gateway\.controllerName: /],
  [{ gatway: {} }, /^gatway: is not a known field; did you mean gateway\?/],
  [{ provider: {} }, /^provider\.type: is required/],
  [{ provider: { type: "Custom" } }, /^provider\.type: must be .*Kubernetes/],
  [kubernetes({ watch: { type: "Namespaces" } }), /^provider\.kubernetes\.watch: .*at least one item/],
  [kubernetes({ watch: { namespaces: ["a"] } }), /^provider\.kubernetes\.watch: .*type/],
  [kubernetes({ watch: { type: "NamespaceSelector", namespaces: ["a"] } }), /^provider\.kubernetes\.watch: /],
  [
    kubernetes({
      watch: {
        type: "NamespaceSelector",
        namespaceSelector: { matchExpressions: [{ key: "a", operator: "In" }] },
      },
    }),
    /^provider\.kubernetes\.watch\.namespaceSelector\.matchExpressions\[0\]: .*In and NotIn/,
  ],
  [
    kubernetes({ leaderElection: { leaseDuration: "10s" } }),
    /^provider\.kubernetes\.leaderElection\.renewDeadline: must be shorter than leaseDuration/,
  ],
  [
    kubernetes({ leaderElection: { retryPeriod: "10s" } }),
    /^provider\.kubernetes\.leaderElection\.retryPeriod: must be longer than 0 and shorter/,
  ],
  [kubernetes({ leaderElection: { leaseDuration: "ten" } }), /leaderElection\.leaseDuration: /],
  [
    kubernetes({ client: { rateLimit: { qps: 0 } } }),
    /^provider\.kubernetes\.client\.rateLimit\.qps: must be at least 1/,
  ],
  [kubernetes({ deploy: { type: "Elsewhere" } }), /^provider\.kubernetes\.deploy\.type: must be/],
  [{ logging: { level: { xds: "loud" } } }, /^logging\.level\.xds: must be/],
  [{ logging: { level: { engine: "info" } } }, /^logging\.level\.engine: is not a known field/],
  [{ admin: { address: { port: 70_000 } } }, /^admin\.address\.port: must be at most 65535/],
  [{ xdsServer: { maxReceiveMessageSize: "big" } }, /^xdsServer\.maxReceiveMessageSize: /],
  [{ envoyProxy: { concurency: 2 } }, /^envoyProxy\.concurency: is not a known field; did you mean concurrency\?/],
  [{ envoyProxy: { concurrency: "two" } }, /^envoyProxy\.concurrency: must be a whole number/],
])("%j is refused at its field", (fields, expected) => {
  const problems = problemsOf(fields);
  expect(problems.length).toBeGreaterThan(0);
  expect(problems.filter((problem) => !expected.test(problem))).toEqual([]);
});

test.each([
  [{ provider: { type: "Kubernetes", custom: { resource: {} } } }, "provider.custom"],
  [kubernetes({ rateLimitDeployment: { name: "a" } }), "provider.kubernetes.rateLimitDeployment.name"],
  [kubernetes({ rateLimitHpa: { maxReplicas: 2 } }), "provider.kubernetes.rateLimitHpa"],
  [kubernetes({ rateLimitPDB: { minAvailable: 1 } }), "provider.kubernetes.rateLimitPDB"],
  [kubernetes({ proxyTopologyInjector: {} }), "provider.kubernetes.proxyTopologyInjector"],
  [{ logging: { level: { "global-ratelimit": "info" } } }, "logging.level.global-ratelimit"],
  [{ admin: { enableDumpConfig: true } }, "admin.enableDumpConfig"],
  [{ admin: { enablePprof: true } }, "admin.enablePprof"],
  [{ telemetry: { metrics: { sinks: [{ type: "OpenTelemetry" }] } } }, "telemetry.metrics.sinks"],
  [{ telemetry: { traces: {} } }, "telemetry.traces"],
  [{ rateLimit: { ...counting(), telemetry: { tracing: {} } } }, "rateLimit.telemetry.tracing"],
  [{ rateLimit: counting(), ...kubernetes({ deploy: { type: "GatewayNamespace" } }) }, "rateLimit"],
  [{ extensionManager: { hooks: {} } }, "extensionManager"],
  [{ extensionManagers: [{}] }, "extensionManagers"],
  [{ extensionApis: { enableEnvoyPatchPolicy: true } }, "extensionApis.enableEnvoyPatchPolicy"],
  [{ extensionApis: { enableLua: true } }, "extensionApis.enableLua"],
  [{ extensionApis: { disableLua: false } }, "extensionApis.disableLua"],
  [{ extensionApis: { enableSDSSecretRef: true } }, "extensionApis.enableSDSSecretRef"],
  [{ gatewayAPI: { enabled: ["XBackendTrafficPolicy"] } }, "gatewayAPI.enabled"],
  [{ runtimeFlags: { enabled: ["XDSNameSchemeV2"] } }, "runtimeFlags.enabled"],
  [{ runtimeFlags: { disabled: ["EndpointSliceIndex"] } }, "runtimeFlags.disabled"],
])("%j is of a later version, and refused so", (fields, path) => {
  const problems = problemsOf(fields);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(new RegExp(`^${path.replaceAll(".", "\\.")}: .*(version|standalone|--inspect)`));
});

test("a rate limit service is described, whichever way its Redis is named", () => {
  expect(read({ rateLimit: counting() })?.rateLimit).toEqual({
    redis: { address: { url: "redis:6379" } },
    failClosed: false,
    prometheus: true,
  });
  const urlRef = { secretKeyRef: { name: "redis", key: "url" } };
  const redis = { urlRef, tls: { certificateRef: { name: "redis-client" } } };
  const telemetry = { metrics: { prometheus: { disable: true } } };
  expect(read({ rateLimit: { ...counting(redis), failClosed: true, timeout: "1s", telemetry } })?.rateLimit).toEqual({
    redis: { address: { secretName: "redis", key: "url" }, tls: { certificateSecret: "redis-client" } },
    failClosed: true,
    timeoutMilliseconds: 1_000,
    prometheus: false,
  });
  const rateLimitDeployment = { replicas: 2, container: { image: "a/ratelimit:b" }, patch: { value: {} } };
  const deployed = kubernetes({ rateLimitDeployment });
  expect(read({ rateLimit: counting(), ...deployed })?.rateLimit?.deployment).toEqual(rateLimitDeployment);
  expect(problemsOf(deployed)).toEqual([expect.stringMatching(/rateLimitDeployment: is about the rate limit service/)]);
  for (const wrong of [
    {},
    { url: "a", urlRef },
    { urlRef: { secretKeyRef: { name: "a", key: "b", optional: true } } },
  ]) {
    expect(problemsOf({ rateLimit: counting(wrong) })).toHaveLength(1);
  }
});

test("what asks for nothing is taken", () => {
  const same = read({});
  expect(
    read({
      ...kubernetes({ proxyTopologyInjector: { disabled: true } }),
      admin: { enableDumpConfig: false, enablePprof: false },
      telemetry: { metrics: { sinks: [] } },
      extensionApis: {
        enableEnvoyPatchPolicy: false,
        enableBackend: true,
        enableLua: false,
        disableLua: true,
        enableSDSSecretRef: false,
      },
      gatewayAPI: { enabled: [] },
      runtimeFlags: { enabled: ["EndpointSliceIndex"], disabled: ["XDSNameSchemeV2", "PerResourceSystemCASecret"] },
    }),
  ).toEqual(same);
});

test("everything that is wrong is told at once, with its place in the file", () => {
  const text = `apiVersion: gateway.envoyproxy.io/v1
kind: EnvoyGateway
rateLimit:
  backend: {}
logging:
  level:
    default: loud
`;
  expect(() => parseConfiguration("gatehouse.yaml", text)).toThrow(
    /^gatehouse\.yaml:1:1: apiVersion: must be gateway\.envoyproxy\.io\/v1alpha1\ngatehouse\.yaml:7:5: logging\.level\.default: must be [^\n]*\ngatehouse\.yaml:4:3: rateLimit\.backend\.type: is required$/,
  );
  expect(() => parseConfiguration("gatehouse.yaml", "a: [")).toThrow(/^gatehouse\.yaml:1:5: is not valid YAML/);
  expect(() => parseConfiguration("gatehouse.yaml", "- a")).toThrow(/^gatehouse\.yaml:1:1: must be an object/);
});

test("a part of the program has its own level, that of the part it belongs to, or the default", () => {
  const { thresholds, set } = createLogLevels({ default: "warn", xds: "debug", provider: "error", status: "info" });
  expect(thresholds("xds")).toBe("debug");
  expect(thresholds("xds-server")).toBe("debug");
  expect(thresholds("status")).toBe("info");
  expect(thresholds("certificates")).toBe("warn");
  expect(thresholds("what nobody has heard of")).toBe("warn");
  expect(thresholds(undefined)).toBe("warn");
  set({});
  expect(thresholds("xds-server")).toBe("info");
});

function parseFlags(words: readonly string[], environment: Readonly<Record<string, string>> = {}): OperatorFlags {
  const before = { ...process.env };
  Object.assign(process.env, environment);
  try {
    return addOperatorOptions(new Command().exitOverride()).parse(words, { from: "user" }).opts<OperatorFlags>();
  } finally {
    process.env = before;
  }
}

test("flags win over the environment, and both over what the pod tells", () => {
  const environment = {
    GATEHOUSE_NAMESPACE: "env-ns",
    GATEHOUSE_POD_NAME: "env-pod",
    GATEHOUSE_SERVICE_NAME: "env-svc",
    GATEHOUSE_CONFIG: "/etc/gatehouse.yaml",
    GATEHOUSE_CONTROLLER_NAMES: "example.com/a, example.com/b",
    KUBERNETES_CLUSTER_DOMAIN: "corp.internal",
    GATEHOUSE_CERTIFICATES: "cert-manager",
  };
  const flags = parseFlags(["--namespace", "flag-ns"], environment);
  expect(flags.config).toBe("/etc/gatehouse.yaml");
  expect(readPodIdentity(flags)).toEqual({
    namespace: "flag-ns",
    podName: "env-pod",
    serviceName: "env-svc",
    clusterDomain: "corp.internal",
    certificates: "cert-manager",
  });
  expect(controllerNamesOf("gatehouse.dev/x", flags)).toEqual(["gatehouse.dev/x", "example.com/a", "example.com/b"]);
  const names = parseFlags(["--controller-name", "example.com/c", "example.com/d"]);
  expect(controllerNamesOf("example.com/d", names)).toEqual(["example.com/d", "example.com/c"]);
  expect(parseFlags([]).certificates).toBe("own");
  expect(() => readPodIdentity(parseFlags([]), "/nowhere")).toThrow(/--namespace or GATEHOUSE_NAMESPACE/);
});

test("namespaces that the installation names are the only ones to read", () => {
  const configured = { type: "NamespaceSelector", selector: "team" } as const;
  const scope = (names: string) => watchScopeOf(configured, parseFlags([], { WATCH_NAMESPACE: names }));
  expect(scope("a,b")).toEqual({ type: "Namespaces", namespaces: ["a", "b"] });
  // How OLM says: all.
  expect(scope("")).toBe(configured);
  expect(watchScopeOf(configured, parseFlags([]))).toBe(configured);
});

interface Fields {
  readonly properties?: Readonly<Record<string, Fields>>;
}

/** Paths of fields that hold values; the EnvoyProxy and log levels are described elsewhere. */
function leavesOf({ properties = {} }: Fields, path = ""): string[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const here = path === "" ? name : `${path}.${name}`;
    const inside = ["envoyProxy", "logging.level", "provider.kubernetes.watch.namespaceSelector"].includes(here);
    return inside || field.properties === undefined ? [here] : leavesOf(field, here);
  });
}

test("the document lists every field, component, flag and variable", () => {
  const document = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");
  // A second field of the same parent is written as `.name`.
  let parent = "";
  const named = [...document.replace(/^```[^`]*```$/gm, "").matchAll(/`([^`]+)`/g)].map(([, text = ""]) => {
    if (text.startsWith(".")) return `${parent}${text}`;
    parent = text.slice(0, Math.max(0, text.lastIndexOf(".")));
    return text;
  });
  const fields = leavesOf(envoyGatewayDefinition.spec as unknown as Fields);
  expect(fields.length).toBeGreaterThan(20);
  expect(fields.filter((path) => !named.includes(path))).toEqual([]);
  expect(refusedFields.map(({ path }) => path.join(".")).filter((path) => !named.includes(path))).toEqual([]);
  expect(logComponents.filter((component) => !named.includes(component))).toEqual([]);
  const { options } = addOperatorOptions(new Command());
  const flags = options.flatMap(({ long, envVar }) =>
    [long, envVar].filter((name) => name !== undefined && name !== null),
  );
  expect(flags.filter((flag) => !named.some((name) => name.split(" ")[0] === flag))).toEqual([]);
});
