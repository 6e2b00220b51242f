import { describe, expect, test } from "@jest/globals";
import { problemAt } from "../../base/problems.ts";
import { explained, readObjects } from "../objects.test-support.ts";
import type { SecurityPlan } from "./model.ts";
import { planWritten } from "./plan.test-support.ts";
import { mergeSecurity } from "./plan.ts";

type Content = Record<string, unknown>;

const objects = readObjects(`
apiVersion: v1
kind: Service
metadata: {name: auth, namespace: a}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: auth, namespace: b}
spec: {ports: [{port: 80}]}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: Backend
metadata: {name: resolver, namespace: a}
spec: {type: DynamicResolver}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: context, namespace: a}
data: {a: text}
`);

function planOf(extAuth: Content, more: Content = {}, namespace = "a"): SecurityPlan {
  return planWritten({ extAuth, ...more }, objects, { namespace });
}

const refs = (name = "auth", more: Content = {}) => ({ backendRefs: [{ name, port: 80, ...more }] });
const grpc = (more: Content = {}, server: Content = refs()) => ({ grpc: server, ...more });
const http = (server: Content = {}, more: Content = {}) => ({ http: { ...refs(), ...server }, ...more });
const byRef = (kind: string, name: string) => ({
  contextExtensions: [{ name: "a", type: "ValueRef", valueRef: { group: "", kind, name, key: "b" } }],
});
const many = Array.from({ length: 65 }, (_, index) => `x-${index}`);

describe("refused, and the status says so", () => {
  test.each<[Content, string]>([
    [grpc({}, refs("absent")), "grpc.backendRefs[0] names Service a/absent, which does not exist;"],
    [grpc({}, { backendRef: { name: "absent", port: 80 } }), "grpc.backendRef names Service a/absent,"],
    [grpc({}, { backendRef: { name: "auth", port: 80 }, ...refs() }), "grpc.backendRef stands beside backendRefs,"],
    [grpc({}, refs("auth", { namespace: "b" })), "grpc.backendRefs[0] names Service b/auth in another namespace,"],
    [
      grpc({}, { backendRefs: [{ group: "gateway.envoyproxy.io", kind: "Backend", name: "resolver" }] }),
      "grpc.backendRefs leads to a DynamicResolver,",
    ],
    [
      http({ backendSettings: { retry: { numRetries: 11 } } }),
      "http.backendSettings.retry.numRetries is more than 10;",
    ],
    [
      http({ backendSettings: { timeout: { http: { requestTimeout: "0s" } } } }),
      "http.backendSettings.timeout.http.requestTimeout is 0s,",
    ],
    [http({}, { timeout: "0m0s" }), "timeout is 0m0s, and no answer comes in no time;"],
    ...["check", "", "/a b", "/a?b", "/a#b", "/ü", "/\n"].map((path): [Content, string] => [
      http({ path }),
      "http.path is no path;",
    ]),
    [http({ path: `/${"a".repeat(1024)}` }), "http.path has more than 1024 characters;"],
    [http({ pathOverride: "a" }), "http.pathOverride is no path;"],
    [http({ headersToBackend: ["x-a", "x b"] }), 'http.headersToBackend[1] is "x b", which is no header name;'],
    [http({ headersToBackend: ["Host"] }), "http.headersToBackend[0] is Host, which says how requests are sent;"],
    [http({}, { headersToBackend: ["Host"] }), "http.headersToBackend[0] is Host,"],
    [grpc({ headersToBackend: ["Host"] }), "headersToBackend[0] is Host,"],
    [grpc({ headersToBackend: many }), "headersToBackend lists more than 64 headers;"],
    [grpc({ headersToExtAuth: many }), "headersToExtAuth lists more than 64 headers;"],
    [grpc({ headersToExtAuth: [":path"] }), 'headersToExtAuth[0] is ":path", which is no header name;'],
    [grpc({ bodyToExtAuth: { maxRequestBytes: 2 ** 31 - 1 } }), "bodyToExtAuth.maxRequestBytes is 2147483647,"],
    [grpc({ includeRouteMetadata: true }), "includeRouteMetadata is not implemented in this version;"],
    [
      http({}, { contextExtensions: [{ name: "a", type: "Value", value: "b" }] }),
      "contextExtensions are told by gRPC only;",
    ],
    [
      grpc({ contextExtensions: many.map((name) => ({ name, type: "Value", value: "b" })) }),
      "contextExtensions lists more than 64 values;",
    ],
    [
      grpc({ contextExtensions: [{ name: "a", type: "Value", value: "b".repeat(4096) }] }),
      "contextExtensions[0] has more than 4096 characters;",
    ],
    [
      grpc(byRef("ConfigMap", "absent")),
      "contextExtensions[0].valueRef names ConfigMap a/absent, which does not exist;",
    ],
    [
      grpc(byRef("ConfigMap", "context")),
      "contextExtensions[0].valueRef names ConfigMap a/context, which has no key b;",
    ],
    [grpc(byRef("Secret", "context")), "contextExtensions[0].valueRef names a Secret, and Envoy shows"],
  ])("%j", (extAuth, text) => {
    const { security, refused } = planOf(extAuth);
    expect(security).toEqual({ refused: true });
    expect(refused.map(({ field = "", text: why }) => `${field} ${why}`)).toEqual([
      expect.stringContaining(`spec.extAuth.${text}`),
    ]);
    const [message] = refused.map(({ field, text: why }) => problemAt("Accepted", "Invalid", field, why).message);
    expect(message).toMatch(explained);
  });
});

test("clients cannot say in a header what only the server is to say", () => {
  const cleared = (extAuth: Content) => planOf(extAuth).security.model?.extAuth?.clearedHeaders;
  const names = ["X-User", "Authorization"];
  expect(cleared(http({ headersToBackend: names }))).toEqual(["x-user"]);
  expect(cleared(http({}, { headersToBackend: names }))).toEqual(["x-user"]);
  expect(cleared(http({ headersToBackend: names }, { headersToExtAuth: ["x-USER"] }))).toEqual([]);
  expect(cleared(grpc({ headersToBackend: names }))).toEqual([]);
  expect(cleared(grpc({ headersToBackend: names, headersToExtAuth: ["x-a"] }))).toEqual(["authorization", "x-user"]);
});

test("of two policies that are merged one says which server is asked, and how", () => {
  const parent = planOf(http({ path: "/parent", headersToBackend: ["x-a"] }, { timeout: "1s", statusOnError: 503 }));
  const child = planOf(grpc({ timeout: "2s" }), { mergeType: "StrategicMerge" });
  for (const mergeType of ["StrategicMerge", "JSONMerge"] as const) {
    const { extAuth, servers } = mergeSecurity(child, parent, mergeType).security.model ?? {};
    expect(extAuth).toEqual({
      protocol: "grpc",
      authority: "auth.a:80",
      timeout: "2s",
      clearedHeaders: [],
      failsOpen: false,
      statusOnError: 503,
      recomputesRoute: false,
    });
    expect(servers?.["extAuth"]?.protocol).toBe("http2");
  }
});
