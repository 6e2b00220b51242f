import { expect, test } from "@jest/globals";
import type { KubeObject } from "../../kube/resource-type.ts";
import { addressesOfService } from "./addresses.ts";
import { differs, project, stamp } from "./comparison.ts";
import { idOf } from "./managed-kinds.ts";
import { patchObject } from "./patch.ts";
import { planWork } from "./plan.ts";

const object = (kind: string, name: string, rest: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace: "a" },
  ...rest,
});
const liveOf = (...objects: KubeObject[]) => new Map(objects.map((each) => [idOf(each), each]));
const namesOf = (objects: readonly KubeObject[]) => objects.map(idOf);

test("what the server adds is no difference, what it lacks or has otherwise is", () => {
  const desired = stamp(
    object("Service", "s", {
      spec: { type: "NodePort", ports: [{ port: 80, name: undefined }], selector: { a: "b" } },
    }),
  );
  const live = (spec: object): KubeObject => ({ ...desired, spec, status: {} }) as KubeObject;
  const served = {
    type: "NodePort",
    ports: [{ port: 80, nodePort: 30_000 }],
    selector: { a: "b" },
    clusterIP: "10.0.0.1",
  };
  expect(differs(desired, live(served), undefined)).toBe(false);
  expect(differs(desired, undefined, undefined)).toBe(true);
  expect(differs(desired, live({ ...served, type: "ClusterIP" }), undefined)).toBe(true);
  expect(differs(desired, live({ ...served, ports: [...served.ports, { port: 81 }] }), undefined)).toBe(true);
  expect(differs(desired, live({ ...served, ports: [] }), undefined)).toBe(true);
  expect(
    differs(desired, { ...live(served), metadata: { ...desired.metadata, deletionTimestamp: "now" } }, undefined),
  ).toBe(true);
  const { spec: _, ...withoutSpec } = desired as KubeObject & { spec: unknown };
  expect(differs(stamp(withoutSpec), live(served), undefined)).toBe(true);
});

test("what the server rewrites is no difference once it is known", () => {
  const desired = stamp(object("Deployment", "d", { spec: { cpu: "0.5" } }));
  const live = { ...desired, spec: { cpu: "500m" } };
  expect(differs(desired, live, undefined)).toBe(true);
  expect(differs(desired, live, project(live, desired))).toBe(false);
  expect(differs(desired, { ...desired, spec: { cpu: "1" } } as KubeObject, project(live, desired))).toBe(true);
});

test("objects are applied in order, and leftovers deleted, a former workload only after its successor serves", () => {
  const desired = [object("ServiceAccount", "x"), object("Deployment", "new"), object("Service", "x")].map(stamp);
  const leftovers = [object("Deployment", "old"), object("Service", "old"), object("DaemonSet", "gone", {})];
  const going = {
    ...object("Service", "going"),
    metadata: { name: "going", namespace: "a", deletionTimestamp: "now" },
  };
  const fresh = planWork(desired, liveOf(...leftovers, going), new Map(), false);
  expect(namesOf(fresh.apply)).toEqual(["ServiceAccount a/x", "Deployment a/new", "Service a/x"]);
  expect(namesOf(fresh.remove)).toEqual(["Service a/old"]);
  expect(namesOf(fresh.waiting)).toEqual(["Deployment a/old", "DaemonSet a/gone"]);
  const serving = { ...desired[1]!, status: { availableReplicas: 1 } } as KubeObject;
  const later = planWork(desired, liveOf(...leftovers, desired[0]!, serving, desired[2]!), new Map(), false);
  expect([namesOf(later.apply), namesOf(later.remove), later.waiting]).toEqual([
    [],
    ["Deployment a/old", "Service a/old", "DaemonSet a/gone"],
    [],
  ]);
  expect(planWork(desired, liveOf(...leftovers), new Map(), true).waiting).toEqual([]);
  expect(namesOf(planWork([], liveOf(...leftovers), new Map(), false).remove)).toHaveLength(3);
});

test("a DaemonSet serves when it does on every node", () => {
  const desired = [stamp(object("DaemonSet", "new"))];
  const waits = (status: object) =>
    planWork(desired, liveOf(object("Deployment", "old"), { ...desired[0]!, status } as KubeObject), new Map(), false)
      .waiting.length;
  expect(waits({ desiredNumberScheduled: 2, numberAvailable: 1 })).toBe(1);
  expect(waits({ desiredNumberScheduled: 2, numberAvailable: 2 })).toBe(0);
  expect(waits({ desiredNumberScheduled: 0, numberAvailable: 0 })).toBe(1);
});

test.each([
  [{ spec: { type: "LoadBalancer", clusterIPs: ["10.0.0.1"] } }, []],
  [{ spec: { type: "LoadBalancer" }, status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } } }, ["1.2.3.4"]],
  [{ spec: { type: "LoadBalancer", externalIPs: ["5.6.7.8"] } }, ["5.6.7.8"]],
  [
    {
      spec: { type: "LoadBalancer", externalIPs: ["5.6.7.8", "1.2.3.4"] },
      status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }, { hostname: "a.example.com" }] } },
    },
    ["1.2.3.4", "a.example.com", "5.6.7.8"],
  ],
  [{ spec: { type: "ClusterIP", clusterIPs: ["10.0.0.1", "fd00::1"] } }, ["10.0.0.1", "fd00::1"]],
  [{ spec: { type: "ClusterIP", clusterIPs: ["None"] } }, []],
  [{ spec: { type: "NodePort", clusterIPs: ["10.0.0.1"] } }, ["192.0.2.9"]],
  [{ spec: { type: "NodePort", clusterIPs: ["10.0.0.1"], externalIPs: ["5.6.7.8"] } }, ["5.6.7.8"]],
])("a Service %j is reached at %j", (service, addresses) => {
  expect(addressesOfService(object("Service", "s", service), ["192.0.2.9"]).map(({ value }) => value)).toEqual(
    addresses,
  );
});

test("a patch changes everything but whose object it is", () => {
  const labels = { ours: "1" };
  const annotations = { "gatehouse.dev/gateway": "a/b", other: "x" };
  const service = { ...object("Service", "s"), metadata: { name: "s", namespace: "a", labels, annotations } };
  const value = {
    kind: "Pod",
    metadata: { name: "t", namespace: "b", labels: { ours: null, more: "2" }, annotations: null },
    spec: { type: "NodePort" },
  };
  expect(patchObject(service, { type: "JSONMerge", value })).toEqual({
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "s",
      namespace: "a",
      labels: { ours: "1", more: "2" },
      annotations: { "gatehouse.dev/gateway": "a/b" },
    },
    spec: { type: "NodePort" },
  });
});
