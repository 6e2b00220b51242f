import { expect } from "@jest/globals";
import type { ClientTrafficPolicy } from "../../src/api/clienttrafficpolicy.ts";
import { customResourceDefinition } from "../../src/api/crd.ts";
import { policyDefinitions } from "../../src/api/definitions.ts";
import { validateObject } from "../../src/api/kinds.ts";
import { planClientTraffic, portPart } from "../../src/attach/client-traffic.ts";
import type { ListenerPlan } from "../../src/attach/model.ts";
import { readObjects } from "../../src/attach/objects.test-support.ts";
import { resourceToJson } from "../../src/envoy/json.ts";
import { buildAccessLogs } from "../../src/translate/access-log.ts";
import { validateBootstrap, withEnvoy } from "../../src/translate/envoy.test-support.ts";
import { translateListener } from "../../src/translate/listener.ts";
import { translateHttpPart } from "../../src/translate/listener-part.ts";
import { translateStreamPart } from "../../src/translate/stream-part.ts";
import { place, type Schema } from "../kube/constraints.ts";

/**
 * Values at the edges of each field of a ClientTrafficPolicy that its schema allows: each is refused with the field's name, or the real
 * Envoy takes the listeners made of it.
 */

const times = ["0s", "1ms", "1s", "99999h99999h99999h99999h"];
const sizes = [0, 1, "1", "1Ki", "64Ki", "2Gi", "4Gi", "9E", "100m", -1];
const numbers = [-1, 0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
const texts = [
  "a",
  "x y",
  "é",
  "a\nb",
  "a\0b",
  "%",
  "%A%",
  "%REQ(x)%",
  "%START_TIME(",
  "(",
  "*",
  ":path",
  "host",
  "10.0.0.0/99",
  "10.0.0.0/8",
  "::/0",
  "/a?b#c",
  "/ä",
  "x".repeat(5000),
];

/** Every leaf with values for it. What says of TLS needs other objects, and has tests of its own. */
function* leaves(
  schema: Schema,
  steps: readonly string[] = [],
): Generator<readonly [readonly string[], readonly unknown[]]> {
  if (["tls", "targetRef", "targetRefs", "targetSelectors"].includes(steps[0] ?? "")) return;
  for (const [name, inner] of Object.entries(schema.properties ?? {})) yield* leaves(inner, [...steps, name]);
  if (schema.items) yield* leaves(schema.items, [...steps, "[]"]);
  const words = schema.enum ?? schema.allOf?.find((each) => each.enum)?.enum;
  if (schema["x-kubernetes-int-or-string"]) yield [steps, sizes];
  else if (words) yield [steps, words];
  else if (schema.type === "boolean") yield [steps, [true, false]];
  else if (schema.type === "integer" || schema.type === "number") yield [steps, numbers];
  else if (schema.type === "string") yield [steps, schema.pattern?.includes("(h|m|s|ms)") ? times : texts];
  else if (schema.type === "object") yield [steps, [{}]];
}

const definition = policyDefinitions.find(({ kind }) => kind === "ClientTrafficPolicy");
const crd = customResourceDefinition(definition as NonNullable<typeof definition>) as {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[] };
};
const schema = crd.spec.versions[0]?.schema.openAPIV3Schema.properties?.["spec"] as Schema;
const targetRefs = [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "a" }];
interface Case {
  readonly name: string;
  readonly field: string;
  readonly policy: ClientTrafficPolicy;
}

const cases = [...leaves(schema)].flatMap(([steps, values]) =>
  values.flatMap((value): Case[] => {
    const field = steps.join(".").replaceAll(".[]", "[]");
    const spec = { ...(place(schema, steps, value) as object), targetRefs };
    const metadata = { name: "a", namespace: "a" };
    const raw = { apiVersion: "gateway.envoyproxy.io/v1alpha1", kind: "ClientTrafficPolicy", metadata, spec };
    const { object, problems } = validateObject(raw);
    return problems.length > 0
      ? []
      : [{ name: `${field}: ${JSON.stringify(value).slice(0, 40)}`, field, policy: object as ClientTrafficPolicy }];
  }),
);

const logs = buildAccessLogs("infra/edge", undefined);

/** An HTTP and a TCP listener with the policy. */
function listenersOf({ policy }: Case, index: number): object[] {
  const settings = planClientTraffic(policy, readObjects("")).settings;
  if (settings === undefined) return [];
  return (["HTTP", "TCP"] as const).map((protocol) => {
    const name = `${protocol}-${index}`;
    const listener: ListenerPlan = {
      ...{ gateway: "infra/edge", name, index: 0, protocol, port: 80, supportedKinds: [] },
      ...{
        allowedNamespaces: { from: "Same" as const },
        certificateRefs: [],
        problems: [],
        valid: true,
        routeTable: name,
      },
    };
    const port = {
      port: 80,
      bindPort: (protocol === "HTTP" ? 10_000 : 30_000) + index,
      protocol,
      name,
      listeners: [listener],
    };
    // Refused ones have routes of their own, and need no server of routes.
    const shape = { fleet: "infra/edge", settings: { telemetry: {} }, logs, clients: settings, refused: true } as const;
    const routing = { name, hosts: ["*"], shares: [{ cluster: "app", weight: 1 }] };
    const part =
      protocol === "HTTP"
        ? translateHttpPart(port, shape)
        : translateStreamPart(port, listener, routing, undefined, logs, settings.timeout?.tcp);
    const connections = portPart(settings);
    const made = translateListener(
      { fleet: "infra/edge" },
      port,
      part ? [part] : [],
      connections ? { connections } : {},
    );
    if (made === undefined) throw new Error(name);
    const { "@type": _, ...json } = resourceToJson(made.resource);
    return json;
  });
}

withEnvoy(
  "what is not refused is taken",
  async () => {
    expect(cases.length).toBeGreaterThan(300);
    const listeners = cases.flatMap(listenersOf);
    expect(listeners.length).toBeGreaterThan(200);
    const clusters = [{ name: "app", type: "STATIC" }];
    const said = await validateBootstrap({ static_resources: { listeners, clusters } });
    const index = Number(/critical.*(?:HTTP|TCP)-(\d+)/.exec(said)?.[1] ?? -1);
    const critical = said.split("\n").filter((line) => line.includes("[critical]"));
    expect([critical, cases[index]?.name]).toEqual([[], undefined]);
  },
  30_000,
);

withEnvoy("what is refused names its field", () => {
  const wrong = cases.flatMap(({ name, field, policy }) => {
    const { refused } = planClientTraffic(policy, readObjects(""));
    const top = `spec.${field.split(/[.[]/, 1)[0]}`;
    return refused.every((finding) => finding.field.startsWith(top)) ? [] : [[name, refused]];
  });
  expect(wrong).toEqual([]);
});
