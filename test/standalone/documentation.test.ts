import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import type { StatusView } from "../../src/cli/status-command.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { createAuthority } from "../harness/certificates.ts";
import { tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePorts } from "../harness/ports.ts";
import { type Redis, startRedis } from "../harness/redis.ts";
import { waitFor } from "../harness/waiting.ts";
import { installCrds } from "../kube/gateway-api.ts";
import { serviceObjects, toYaml } from "./traffic-world.ts";
import { createWorld, type World } from "./world.ts";

/**
 * What documentation shows is what it says: each example is taken by a real API server with strict validation, and traffic policies are
 * accepted, without a warning, by a Gatehouse and an Envoy that run.
 */

interface Named {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: { readonly targetRefs?: readonly Target[] };
}

interface Target {
  readonly kind: string;
  readonly name: string;
  readonly sectionName?: string;
}

interface Example {
  /** Of the page and the line where it begins. */
  readonly place: string;
  /** Has a namespace of its own. */
  readonly namespace: string;
  readonly objects: readonly Named[];
}

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));
/** Of a file of its own, which no API server takes. */
const isOurs = ({ kind }: Named) => kind !== "EnvoyGateway";

/** All blocks that show whole objects; others show a part of one. */
function readExamples(): Example[] {
  const pages = readdirSync(docs, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".md"));
  return pages.sort().flatMap((page) => {
    const text = readFileSync(join(docs, page), "utf8");
    return [...text.matchAll(/^```yaml\n(.*?)^```/gms)].flatMap(({ 1: block = "", index }) => {
      const objects = parseAllDocuments(block).map((document) => document.toJS() as Named);
      const line = text.slice(0, index).split("\n").length;
      const namespace = `${page.replace(/\W+/g, "-").replace(/-md$/, "")}-${line}`;
      const isWhole = objects.every((object) => object?.apiVersion !== undefined && isOurs(object));
      return isWhole ? [{ place: `${page}:${line}`, namespace, objects }] : [];
    });
  });
}

const examples = readExamples();
const isTrafficPolicy = ({ kind }: Named) => /^(Backend|Client)TrafficPolicy$/.test(kind);
const trafficExamples = examples.filter(({ objects }) => objects.some(isTrafficPolicy));
const inNamespace = (object: Named, namespace: string): Named => ({
  ...object,
  metadata: { ...object.metadata, namespace },
});

let server: ApiServer;
let world: World;
/** For the rate limit service, without which no policy has global limits. */
let redis: Redis;

beforeAll(async () => {
  redis = await startRedis();
  const args = ["--rate-limit-redis", `127.0.0.1:${redis.port}`];
  [server, world] = await Promise.all([startApiServer(), createWorld({}, args)]);
  await installCrds(server);
}, 180_000);
afterAll(async () => {
  await world?.stop();
  await server?.stop();
  await redis?.stop();
}, 60_000);

test("every page of policies shows examples", () => {
  const pages = readdirSync(join(docs, "policies"));
  const shown = new Set(examples.map(({ place }) => place.replace(/:.*/, "")));
  for (const page of pages) expect(shown).toContain(`policies/${page}`);
});

test.each(examples)("$place is taken by an API server", async ({ namespace, objects }) => {
  await server.kubectl(["create", "namespace", namespace]);
  for (const object of objects) {
    // Not by server-side apply, which overlooks what is inside of an object without fields.
    const text = JSON.stringify(inNamespace(object, namespace));
    await server.kubectl(["apply", "--validate=strict", "-f", "-"], text);
  }
});

test("traffic policies are accepted, and Envoy takes what they come to", async () => {
  // A port each for HTTP and HTTPS, so that no example is in the way of another.
  const ports = await freePorts(trafficExamples.length * 2);
  for (const [index, { namespace, objects }] of trafficExamples.entries()) {
    const [http = 0, https = 0] = ports.slice(index * 2);
    const around = surroundings(namespace, objects, { http, https });
    world.files.writeAtomically(`${namespace}.yaml`, toYaml(objects.map((object) => inNamespace(object, namespace))));
    world.files.writeAtomically(`${namespace}-around.yaml`, around);
  }
  const readStatus = async () => JSON.parse(await world.gatehouse().admin("/status")) as StatusView;
  const { problems, objects } = await waitFor("all Gateways to be programmed", async () => {
    const view = await readStatus();
    const programmed = trafficExamples.every(({ namespace }) => {
      const status = view.objects[`Gateway/${namespace}/web`] as { conditions?: Condition[] } | undefined;
      return status?.conditions?.some((each) => each.type === "Programmed" && each.status === "True");
    });
    return programmed && view;
  });
  expect(problems).toEqual([]);
  for (const { place, namespace, objects: shown } of trafficExamples) {
    for (const { kind, metadata } of shown.filter(isTrafficPolicy)) {
      const status = objects[`${kind}/${namespace}/${metadata.name}`] as { ancestors?: Ancestor[] } | undefined;
      const conditions = (status?.ancestors ?? []).flatMap((ancestor) => ancestor.conditions);
      const said = conditions.map(({ type, status: value, message }) => `${type}=${value}: ${message}`);
      expect([place, said]).toEqual([place, [expect.stringMatching(/^Accepted=True/)]]);
    }
  }
}, 60_000);

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message: string;
}

interface Ancestor {
  readonly conditions: readonly Condition[];
}

const authority = createAuthority();

/** What the policies name: a Gateway with their listeners and routes to a backend, authorities and a list of what they revoked. */
function surroundings(
  namespace: string,
  objects: readonly Named[],
  ports: { readonly http: number; readonly https: number },
): string {
  const targets = objects.flatMap(({ spec }) => spec?.targetRefs ?? []);
  const names = (wanted: string) => [...new Set(targets.flatMap(({ kind, name }) => (kind === wanted ? [name] : [])))];
  const sections = targets.flatMap(({ kind, sectionName }) => (kind === "Gateway" && sectionName) || []);
  const tls = { certificateRefs: [{ name: "web" }] };
  const listeners = [
    { name: "http", protocol: "HTTP", port: ports.http },
    { name: sections[0] ?? "https", protocol: "HTTPS", port: ports.https, tls },
  ];
  const api = "gateway.networking.k8s.io/v1";
  const metadata = (name: string) => ({ name, namespace });
  const rules = [{ backendRefs: [{ name: "shown", port: 80 }] }];
  const routes = [...names("HTTPRoute"), "other"].map((name) => ({
    apiVersion: api,
    kind: "HTTPRoute",
    metadata: metadata(name),
    spec: { parentRefs: [{ name: "web" }], hostnames: [`${name}.test`], rules },
  }));
  const backend = (serviceObjects("shown", [ports.http]) as Named[]).map((object) => inNamespace(object, namespace));
  return [
    toYaml([
      {
        apiVersion: api,
        kind: "Gateway",
        metadata: metadata("web"),
        spec: { gatewayClassName: "gatehouse", listeners },
      },
      ...routes,
      ...backend,
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: metadata("partners"),
        data: { "ca.crt": authority.certificate },
      },
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: metadata("revoked-partners"),
        stringData: { "ca.crl": authority.revoke() },
      },
    ]),
    tlsSecretYaml({ name: "web", namespace, ...authority.issue({ dnsNames: ["web.test"] }) }),
  ].join("\n---\n");
}
