import { describe, expect, test } from "@jest/globals";
import { parseQuantity, readField, readResource } from "./downward.ts";
import { expandVariables, resolveEnvironment } from "./environment.ts";
import type { Container, Pod, PodFacts, Sources } from "./objects.ts";

const facts: PodFacts = {
  podAddress: "10.1.0.10",
  nodeAddress: "10.1.0.1",
  apiServer: { host: "10.1.64.1", port: 443 },
  capacity: { cpu: "4", memory: "1Gi" },
};
const container: Container = { name: "main", resources: { limits: { cpu: "250m" }, requests: { memory: "10M" } } };
const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "n", uid: "u", labels: { b: "2", a: 'say "1"' } },
  spec: { containers: [container, { name: "other", resources: { limits: { cpu: "3" } } }] },
};
const sources: Sources = {
  secret: (_, name) =>
    name === "s"
      ? { apiVersion: "v1", kind: "Secret", data: { key: Buffer.from("secret").toString("base64") } }
      : undefined,
  configMap: () => undefined,
};

describe("references in values", () => {
  const names = new Map([["A", "1"]]);
  test.each([
    ["$(A)", "1"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$1"],
    ["$(B)", "$(B)"],
    ["$A $", "$A $"],
    ["$(A)$(A)", "11"],
    ["$(A", "$(A"],
  ])("%s becomes %s", (text, expanded) => expect(expandVariables(text, names)).toBe(expanded));
});

describe("quantities", () => {
  test.each([
    ["1", 1],
    ["250m", 0.25],
    ["1.5Gi", 1.5 * 2 ** 30],
    ["2k", 2_000],
    ["1e3", 1_000],
    ["1E", 1e18],
    ["much", Number.NaN],
    ["1i", Number.NaN],
  ])("%s", (text, value) => expect(parseQuantity(text)).toBe(value));
});

test("fields of the pod", () => {
  expect(readField("metadata.labels", pod, facts)).toEqual({ value: 'a="say \\"1\\""\nb="2"' });
  expect(readField("metadata.labels['b']", pod, facts)).toEqual({ value: "2" });
  expect(readField("metadata.annotations['none']", pod, facts)).toEqual({ value: "" });
  expect(readField("status.hostIP", pod, facts)).toEqual({ value: "10.1.0.1" });
  expect(readField("spec.priority", pod, facts).obstacle?.message).toContain("spec.priority");
});

test("resources, rounded up, with the node's where there is no limit", () => {
  const read = (resource: string, divisor = "0", containerName?: string) =>
    readResource({ resource, divisor, ...(containerName && { containerName }) }, container, pod, facts);
  expect(read("limits.cpu")).toEqual({ value: "1" });
  expect(read("limits.cpu", "1m")).toEqual({ value: "250" });
  expect(read("limits.cpu", "1", "other")).toEqual({ value: "3" });
  expect(read("limits.memory", "1Mi")).toEqual({ value: "1024" });
  expect(read("requests.memory", "1M")).toEqual({ value: "10" });
  expect(read("requests.cpu")).toEqual({ value: "0" });
  expect(read("limits.cpu", "1", "nobody").obstacle).toBeDefined();
});

test("later sources win, and a missing one that is not optional is an obstacle that names it", () => {
  const resolve = (extra: Partial<Container>) =>
    resolveEnvironment({ ...container, ...extra }, pod, facts, sources, { A: "image" });
  const both = resolve({ envFrom: [{ secretRef: { name: "s" } }], env: [{ name: "A", value: "$(key) of $(A)" }] });
  expect(both).toMatchObject({ value: expect.any(Map) });
  expect(both.obstacle === undefined && both.value.get("A")).toBe("secret of image");
  expect(resolve({ envFrom: [{ configMapRef: { name: "c" } }] }).obstacle?.message).toBe('configmap "c" not found');
  const key = { name: "s", key: "other" };
  expect(resolve({ env: [{ name: "B", valueFrom: { secretKeyRef: key } }] }).obstacle?.message).toBe(
    "couldn't find key other in secret s",
  );
  expect(
    resolve({ env: [{ name: "B", valueFrom: { secretKeyRef: { ...key, optional: true } } }] }).obstacle,
  ).toBeUndefined();
});
