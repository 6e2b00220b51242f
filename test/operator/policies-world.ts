import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import { createAuthority } from "../harness/certificates.ts";
import { type ClientAnswer, type ClientRequest, send } from "../harness/client.ts";
import { tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { waitFor } from "../harness/waiting.ts";
import type { Wish } from "./behaving-echo.ts";
import { STEP_LIMIT_MS, startWorld, type World } from "./world.ts";

/** What a pod says of the request that it answers (`behaving-echo.ts`). */
export interface Seen {
  readonly pod: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly attempt: number;
  readonly connection: number;
}

export interface PolicyAnswer extends ClientAnswer {
  /** Undefined: the answer is Envoy's own. */
  readonly seen?: Seen;
}

export type PolicyRequest = Partial<ClientRequest> & { readonly wish?: Wish };

/** Policies in a real cluster, each with a route of its own name at host `<name>.test`. */
export interface PolicyWorld extends World {
  address(gateway: string): Promise<string>;
  ask(gateway: string, route: string, request?: PolicyRequest): Promise<PolicyAnswer>;
}

interface Manifest {
  readonly kind: string;
  readonly spec: { readonly targetRef: { readonly kind: string; readonly name: string } };
}

export const authority = createAuthority();
const fixture = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");
const twoEndpoints: ReadonlySet<string> = new Set(["by-header", "by-cookie", "asked", "observed"]);

/** Resolves when all routes are served: policies are there before their targets, so none is served without its policy. */
export async function startPolicyWorld(): Promise<PolicyWorld> {
  const world = await startWorld();
  await world.install("config/default");
  await world.apply(fixture("policies-world.yaml"));
  const policies = fixture("documented-policies.yaml");
  await world.cluster.kubectl(["apply", "--validate=strict", "-f", "-"], policies);
  const targets = parseAllDocuments(policies).map((document) => (document.toJS() as Manifest).spec.targetRef);
  const objects = targets.map(({ kind, name }) => (kind === "Gateway" ? gateway(name) : route("shop", name)));
  const plain = [route("shop", "plain"), route("shop", "edited"), route("shop", "chosen"), route("garden", "chosen")];
  const certificate = tlsSecretYaml({
    name: "plain",
    namespace: "edge",
    ...authority.issue({ dnsNames: ["plain.test"] }),
  });
  await world.apply([certificate, ...[...objects, ...plain].map(toYaml)].join("\n---\n"));
  const address = addresses(world);
  const ask: PolicyWorld["ask"] = async (gatewayName, name, { wish, headers, ...request } = {}) => {
    const answer = await send({
      address: await address(gatewayName),
      port: 80,
      host: `${name}.test`,
      headers: { ...headers, ...(wish && { "x-behave": JSON.stringify(wish) }) },
      ...request,
    });
    const isSeen = answer.body.startsWith("{");
    return { ...answer, ...(isSeen && { seen: JSON.parse(answer.body) as Seen }) };
  };
  await Promise.all(
    [...targets.filter(({ kind }) => kind === "Gateway"), { name: "public" }].map(({ name }) =>
      waitFor(`Gateway ${name}`, async () => (await ask(name, "plain")).status === 200, STEP_LIMIT_MS),
    ),
  );
  return { ...world, address, ask };
}

function addresses(world: World): PolicyWorld["address"] {
  const known = new Map<string, string>();
  return async (name) => {
    const json = known.get(name) ?? (await world.kubectl("get", "gateway", name, "-n", "edge", "-o", "json"));
    const address = known.get(name) ?? JSON.parse(json).status?.addresses?.[0]?.value;
    if (address === undefined) throw new Error(`Gateway ${name} has no address`);
    known.set(name, address);
    return address;
  };
}

const toYaml = (object: object) => `${JSON.stringify(object)}\n`;

/** With HTTPS beside HTTP. */
function gateway(name: string): object {
  const [apiVersion, kind] = ["gateway.networking.k8s.io/v1", "Gateway"];
  const allowedRoutes = { namespaces: { from: "All" } };
  const listeners = [
    { name: "http", protocol: "HTTP", port: 80, allowedRoutes },
    { name: "https", protocol: "HTTPS", port: 443, allowedRoutes, tls: { certificateRefs: [{ name: "plain" }] } },
  ];
  return {
    apiVersion,
    kind,
    metadata: { name, namespace: "edge" },
    spec: { gatewayClassName: "gatehouse", listeners },
  };
}

/** The plain route is that of all Gateways. */
function route(namespace: string, name: string): object {
  const gateways = name === "plain" ? ["public", "slow", "versions", "paths"] : ["public"];
  const backend = { name: twoEndpoints.has(name) ? "both" : "well", namespace: "shop", port: 80 };
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name, namespace, labels: { app: name } },
    spec: {
      parentRefs: gateways.map((each) => ({ name: each, namespace: "edge" })),
      hostnames: [namespace === "shop" ? `${name}.test` : `${name}.${namespace}.test`],
      rules: [{ backendRefs: [backend] }],
    },
  };
}
