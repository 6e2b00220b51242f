import { expect, test } from "@jest/globals";
import type { KubeObject } from "../../kube/resource-type.ts";
import { createGatewayPods } from "./gateway-pods.ts";
import { GATEWAY_ANNOTATION } from "./identity.ts";
import { describePodTrouble, describeWaits, type PodFields } from "./waits.ts";

const object = (kind: string, fields: object = {}): KubeObject =>
  ({ apiVersion: "v1", kind, metadata: { namespace: "sys", name: "envoy" }, ...fields }) as KubeObject;
const service = object("Service", { spec: { type: "ClusterIP", clusterIP: "10.0.0.1" } });
const deployment = (status: object, replicas = 2) => object("Deployment", { spec: { replicas }, status });
const daemonSet = (status: object) => object("DaemonSet", { status });
const refused = { type: "ReplicaFailure", status: "True", message: "exceeded quota: small" };
const gone = { ...refused, status: "False" };

test.each<[string, KubeObject[], string | undefined, string]>([
  ["nothing", [], undefined, "its Deployment or DaemonSet is not there yet"],
  ["starting pods", [deployment({})], undefined, "of 2 wanted by Deployment sys/envoy none is ready"],
  ["pods in trouble", [deployment({})], "so", "of 2 wanted by Deployment sys/envoy none is ready: so"],
  [
    "pods that nobody makes",
    [deployment({ conditions: [refused] })],
    undefined,
    "of 2 wanted by Deployment sys/envoy none is ready: exceeded quota: small",
  ],
  [
    "pods made again",
    [deployment({ conditions: [gone] })],
    undefined,
    "of 2 wanted by Deployment sys/envoy none is ready",
  ],
  ["no pods wanted", [deployment({}, 0)], undefined, "Deployment sys/envoy has no pods, since replicas is 0"],
  [
    "no node",
    [daemonSet({ desiredNumberScheduled: 0 })],
    undefined,
    "DaemonSet sys/envoy has no pods, since its pods fit on no node",
  ],
])("pods: %s", (_, workloads, trouble, expected) => {
  expect(describeWaits([service, ...workloads], false, trouble)).toEqual({ pods: expected });
  expect(describeWaits([service, ...workloads], true, trouble)).toEqual({});
});

test.each<[string, KubeObject[], string | undefined]>([
  ["no Service", [], "its Service is not there yet"],
  ["a cluster address", [service], undefined],
  [
    "a load balancer",
    [object("Service", { spec: { type: "LoadBalancer", clusterIP: "10.0.0.1" } })],
    "no load balancer has given Service sys/envoy one yet; see its events",
  ],
  [
    "a headless Service",
    [object("Service", { spec: { type: "ClusterIP", clusterIP: "None" } })],
    "Service sys/envoy is headless, and only its pods have addresses",
  ],
])("addresses: %s", (_, services, expected) => {
  const { address } = describeWaits([deployment({}), ...services], true, undefined);
  expect(address).toBe(expected);
});

const pod = (status: PodFields["status"]): PodFields => object("Pod", { status }) as PodFields;
const waiting = (reason: string, message?: string) => ({
  waiting: { reason, ...(message !== undefined && { message }) },
});

test("of the pods of a gateway the newest in trouble is told of, ready ones by their nodes, and none that goes", () => {
  const of = (name: string, day: number, status: PodFields["status"], metadata: object = {}): [string, KubeObject] => [
    `sys/${name}`,
    {
      ...pod(status),
      metadata: {
        name,
        annotations: { [GATEWAY_ANNOTATION]: "default/eg" },
        creationTimestamp: `2026-01-0${day}T00:00:00Z`,
        ...metadata,
      },
    } as KubeObject,
  ];
  const stuck = { containerStatuses: [{ name: "envoy", state: waiting("X") }] };
  const ready = (hostIP: string) => ({ hostIP, conditions: [{ type: "Ready", status: "True" }] });
  const going = { deletionTimestamp: "2026-01-05T00:00:00Z" };
  const pods = createGatewayPods();
  const told = pods.observe(
    new Map([
      of("b", 2, stuck),
      of("a", 1, stuck),
      of("c", 3, stuck, going),
      of("d", 4, ready("10.0.0.2")),
      of("e", 4, ready("10.0.0.1")),
      of("f", 4, ready("10.0.0.3"), going),
    ]),
  );
  expect(told).toEqual(new Set(["default/eg"]));
  expect(pods.trouble("default/eg")).toContain("of pod b waits with X");
  expect(pods.readyHosts("default/eg")).toEqual(["10.0.0.1", "10.0.0.2"]);
  pods.observe(new Map(["a", "b", "d", "e"].map((name) => [`sys/${name}`, undefined])));
  expect([pods.trouble("default/eg"), pods.readyHosts("default/eg")]).toEqual([undefined, []]);
});

test.each<[string, PodFields, string | undefined]>([
  ["begins", pod(undefined), undefined],
  [
    "has no node",
    pod({ conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes" }] }),
    "pod envoy cannot be scheduled: 0/3 nodes",
  ],
  ["starts", pod({ containerStatuses: [{ name: "envoy", state: waiting("ContainerCreating") }] }), undefined],
  [
    "has no image",
    pod({ containerStatuses: [{ name: "envoy", state: waiting("ImagePullBackOff", "not found") }] }),
    "container envoy of pod envoy waits with ImagePullBackOff (not found)",
  ],
  [
    "fails to begin",
    pod({
      initContainerStatuses: [
        { name: "init", state: waiting("CrashLoopBackOff"), lastState: { terminated: { exitCode: 3 } } },
      ],
    }),
    "container init of pod envoy waits with CrashLoopBackOff, after it ended with exit code 3",
  ],
  [
    "was restarted",
    pod({ containerStatuses: [{ name: "envoy", state: {}, lastState: { terminated: { exitCode: 137 } } }] }),
    "container envoy of pod envoy runs again, after it ended with exit code 137",
  ],
])("a pod that %s", (_, first, expected) => {
  expect(describePodTrouble(first)).toBe(expected);
});
