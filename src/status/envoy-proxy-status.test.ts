import { expect, test } from "@jest/globals";
import type { EnvoyProxy } from "../api/envoyproxy.ts";
import type { ProxyUse } from "../pipeline/envoy-proxies.ts";
import { buildEnvoyProxyStatus } from "./envoy-proxy-status.ts";

const object = { metadata: { namespace: "a", name: "p", generation: 4 }, spec: {} } as EnvoyProxy;
const use = (kind: "GatewayClass" | "Gateway", key: string, level: Partial<ProxyUse["level"]> = {}): ProxyUse => ({
  proxy: "a/p",
  ancestor: { kind, key },
  level: { refused: [], warnings: [], ...level },
});
const render = (...uses: ProxyUse[]) => buildEnvoyProxyStatus({ kind: "EnvoyProxy", object, uses }).ancestors;

test("one ancestor for each user, those in trouble first", () => {
  const finding = { field: "spec.geoIP", text: "is not implemented in this version; remove it" };
  const warning = { field: "spec.provider.kubernetes", text: "has no effect" };
  expect(
    render(use("GatewayClass", "c", { warnings: [warning] }), use("Gateway", "b/gw", { refused: [finding] })),
  ).toEqual([
    {
      ancestorRef: { group: "gateway.networking.k8s.io", kind: "Gateway", name: "gw", namespace: "b" },
      conditions: [
        {
          type: "Accepted",
          status: "False",
          reason: "InvalidParameters",
          message: "Field spec.geoIP is not implemented in this version; remove it.",
          observedGeneration: 4,
        },
      ],
    },
    {
      ancestorRef: { group: "gateway.networking.k8s.io", kind: "GatewayClass", name: "c" },
      conditions: [
        {
          type: "Accepted",
          status: "True",
          reason: "Accepted",
          message: "The EnvoyProxy is in effect for GatewayClass c.",
          observedGeneration: 4,
        },
        {
          type: "Warning",
          status: "True",
          reason: "NoEffect",
          message: "Field spec.provider.kubernetes has no effect.",
          observedGeneration: 4,
        },
      ],
    },
  ]);
});

test("at most sixteen, and the last says how many more there are", () => {
  const many = render(...Array.from({ length: 20 }, (_, index) => use("Gateway", `a/gw-${index}`)));
  expect(many).toHaveLength(16);
  expect(many[15]?.conditions).toContainEqual(
    expect.objectContaining({
      type: "Aggregated",
      status: "True",
      message: expect.stringContaining("4 more ancestors"),
    }),
  );
});
