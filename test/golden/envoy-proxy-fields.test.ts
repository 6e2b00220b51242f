import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { envoyProxyDefinition } from "../../src/api/envoyproxy.ts";
import { webPair } from "../../src/attach/key-pairs.test-support.ts";
import { resourceToJson } from "../../src/envoy/json.ts";
import { podTls } from "../../src/infra/kubernetes/environment.ts";
import { renderGateway } from "../../src/infra/kubernetes/render.ts";
import { createPipeline } from "../../src/pipeline/pipeline.ts";
import { renderStatus } from "../../src/status/render.ts";
import { readCase } from "./run-case.ts";

/**
 * No field of an EnvoyProxy is accepted and ignored: one that is taken away changes what runs, what Envoy is sent or what a status
 * says. And no field is forgotten here: those of the CRD are counted.
 */

type Spec = Readonly<Record<string, unknown>>;
type Path = readonly (string | number)[];

const documentsOf = (...path: string[]) =>
  parseAllDocuments(readFileSync(join(import.meta.dirname, ...path), "utf8")).map(
    (document) => document.toJS() as Record<string, unknown>,
  );

const rendered = readdirSync(join(import.meta.dirname, "infrastructure"))
  .filter((name) => name.endsWith(".in.yaml"))
  .flatMap((name) => documentsOf("infrastructure", name))
  .filter((object) => object?.["kind"] === "EnvoyProxy")
  .map((object) => object["spec"] as Spec);
const samples: readonly Spec[] = [...documentsOf("envoy-proxy-fields.yaml"), ...rendered];

/** Refused with all that is in them. */
const refused: Readonly<Record<string, unknown>> = {
  mergeGateways: true,
  geoIP: { provider: { type: "MaxMind", maxMind: { cityDbSource: { local: { path: "/a.mmdb" } } } } },
  lua: { validationType: "Disabled" },
  luaValidation: "Disabled",
  dynamicModules: [{ name: "a", source: { type: "Local", local: { path: "/a.so" } } }],
  "provider.host.envoyVersion": "v1.40.0",
  "backendTLS.fingerprints": ["JA3"],
  "telemetry.healthCheckLog": { sinks: [] },
};
/** Judged field by field: src/attach/connection-settings.test.ts. */
const JUDGED_ELSEWHERE = ["backendSettings"];

/** The API has them only to refuse them: a rule of the CRD says so. */
const NEVER_VALID = /\.backendRef(\.\w+)?$/;

/** Types of Kubernetes, which go to the API server as they are. */
const OPAQUE =
  /\.(env|resources|securityContext|volumeMounts|affinity|tolerations|topologySpreadConstraints|volumes|initContainers|strategy|imagePullSecrets|envoyHpa\.metrics|behavior|patch\.value|jsonPatches\[\]\.value)(\[\])?$/;

const base64 = (text: string) => Buffer.from(text).toString("base64");
const secret = (name: string) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: "default" },
    type: "kubernetes.io/tls",
    data: { "tls.crt": base64(webPair.certificate), "tls.key": base64(webPair.key) },
  });

const world = `
{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: c}, spec: {controllerName: gatehouse.dev/gateway-controller, parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: of-class, namespace: default}}}
---
{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: EnvoyProxy, metadata: {name: of-class, namespace: default}, spec: {shutdown: {drainTimeout: 77s}}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw, namespace: default}, spec: {gatewayClassName: c, infrastructure: {parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: own}}, listeners: [{name: http, protocol: HTTP, port: 80}, {name: https, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: client}]}}]}}
---
${secret("client")}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: default}, spec: {parentRefs: [{name: gw}], rules: [{matches: [{path: {value: /}}], backendRefs: [{name: web, port: 80}]}, {matches: [{path: {value: /far}}], backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: tls}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: default}, spec: {clusterIP: 10.96.0.1, ports: [{name: a, port: 80}, {name: b, port: 81}]}}
---
{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: Backend, metadata: {name: plain, namespace: default}, spec: {endpoints: [{ip: {address: 10.1.1.1, port: 4317}}]}}
---
{apiVersion: gateway.envoyproxy.io/v1alpha1, kind: Backend, metadata: {name: tls, namespace: default}, spec: {endpoints: [{fqdn: {hostname: far.example.com, port: 443}}], tls: {wellKnownCACertificates: System, sni: far.example.com}}}
---
`;

/** All that an EnvoyProxy leads to, as one text. */
function outcomeOf(spec: Spec): string {
  const own = {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "EnvoyProxy",
    metadata: { name: "own", namespace: "default" },
    spec,
  };
  const { batch, invalid } = readCase(`${world}${JSON.stringify(own)}`);
  const objects: unknown[] = [];
  const environment = {
    namespace: "system",
    inGatewayNamespace: false,
    controlPlane: { address: { host: "gatehouse.example", port: 18000 }, tls: podTls("gatehouse.example", false) },
    envoyImage: "docker.io/envoyproxy/envoy:v1",
    clusterDomain: "cluster.local",
    gatehouseImage: "example.com/gatehouse:v1",
  };
  const pipeline = createPipeline(
    {
      controllerNames: ["gatehouse.dev/gateway-controller"],
      hostInfrastructure: false,
      privilegedPortOffset: 10_000,
      controlPlane: environment.controlPlane,
    },
    {
      xds: (changes) => objects.push(changes.map(({ resource }) => resource && resourceToJson(resource))),
      statuses() {},
      infrastructure(changes) {
        for (const gateway of changes.values()) if (gateway) objects.push(renderGateway(gateway, environment));
      },
    },
  );
  pipeline.stage(batch);
  pipeline.markSynced();
  pipeline.commitNow();
  pipeline.stop();
  const statuses = [...pipeline.statuses()].map(([key, report]) => [key, renderStatus(report)]);
  return JSON.stringify({ invalid, objects, statuses });
}

function* leavesOf(value: unknown, path: Path = []): Generator<Path> {
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value ?? {});
  if (typeof value !== "object" || entries.length === 0 || OPAQUE.test(patternOf(path))) yield path;
  else for (const [key, inside] of entries) yield* leavesOf(inside, [...path, key]);
}

/** Maps whose keys are the user's. */
const FREE_KEYS = new Set(
  "matchLabels level labels annotations nodeSelector resourceAttributes tags customTags json".split(" "),
);

function patternOf(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === "number") return "[]";
      const parent = String(path[index - 1]);
      return FREE_KEYS.has(parent) || path.slice(index - 2, index).join(".") === "openTelemetry.resources"
        ? ".{}"
        : `.${step}`;
    })
    .join("");
}

function without(value: unknown, [step, ...rest]: Path): unknown {
  if (step === undefined) return undefined;
  if (Array.isArray(value)) {
    return rest.length === 0
      ? value.filter((_, index) => index !== step)
      : value.map((item, index) => (index === step ? without(item, rest) : item));
  }
  const copy = { ...(value as Record<string, unknown>) };
  if (rest.length === 0) delete copy[step];
  else copy[step] = without(copy[step], rest);
  return copy;
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}

function* fieldsOf(schema: Schema, path = ""): Generator<string> {
  const name = path.slice(path.lastIndexOf(".") + 1);
  if (path.slice(1) in refused || JUDGED_ELSEWHERE.includes(name) || NEVER_VALID.test(path)) return;
  const { properties = {}, items, additionalProperties } = schema;
  if (OPAQUE.test(path)) yield path.replace(/\[\]$/, "");
  else if (items) yield* fieldsOf(items, `${path}[]`);
  else if (additionalProperties) yield* fieldsOf(additionalProperties, `${path}.{}`);
  else if (Object.keys(properties).length === 0) yield path;
  else for (const [field, inside] of Object.entries(properties)) yield* fieldsOf(inside, `${path}.${field}`);
}

/** What changes nothing where it stands, because it is so anyway: with the reason. */
const asUsual: readonly RegExp[] = [
  // The only values that there are where this runs, or the usual ones, which say nothing.
  /^\.provider\.type$|\.sinks\[\]\.type$|(backendRefs\[\]|clientCertificateRef)\.(group|kind|namespace)$/,
  /\.compression\.(gzip|brotli|zstd)$/,
  // The field that is set says it already.
  /\.format\.type$/,
  // One of one has every share, and a Backend its own ports.
  /^\.telemetry\.metrics\.sinks\[\]\.openTelemetry\.backendRefs\[\]\.(weight|fallback)$/,
  // The selector is told as a whole.
  /^\.mergeBackends\.selector\./,
  // Both ways of merging mean the same for objects without lists that have keys.
  /\.(envoyHpa|envoyPDB)\.patch\.type$/,
];

test("every field of the CRD is in a sample, or refused", () => {
  const covered = new Set(samples.flatMap((sample) => [...leavesOf(sample)].map(patternOf)));
  const missing = [...fieldsOf(envoyProxyDefinition.spec as Schema)].filter((field) => !covered.has(field));
  expect(missing).toEqual([]);
});

test.each(Object.entries(refused))("%s is refused", (path, value) => {
  const steps = path.split(".");
  const spec = steps.reduceRight<unknown>((inside, step) => ({ [step]: inside }), value) as Spec;
  const provider = spec["provider"] && { provider: { type: "Kubernetes", ...(spec["provider"] as object) } };
  expect(outcomeOf({ ...spec, ...(provider || {}) })).toContain(`spec.${path}`);
});

/** Whether one of the places where a field stands makes a difference, by pattern. */
function findEffects(): ReadonlyMap<string, boolean> {
  const effects = new Map<string, boolean>();
  for (const sample of samples) {
    const whole = outcomeOf(sample);
    for (const path of leavesOf(sample)) {
      const pattern = patternOf(path);
      if (!effects.get(pattern)) effects.set(pattern, outcomeOf(without(sample, path) as Spec) !== whole);
    }
  }
  return effects;
}

test("every field has an effect somewhere, or is what is so anyway", () => {
  const idle = [...findEffects()].filter(([pattern, effect]) => !effect && !asUsual.some((rule) => rule.test(pattern)));
  expect(idle.map(([pattern]) => pattern)).toEqual([]);
}, 60_000);
