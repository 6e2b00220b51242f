import { readFileSync } from "node:fs";
import { afterAll, beforeAll, test } from "@jest/globals";
import { parseAllDocuments } from "yaml";
import { waitFor } from "../harness/waiting.ts";
import { policyOfRoute, routeOf } from "./policy-objects.ts";
import { serviceObjects, toYaml } from "./traffic-world.ts";
import { type Answer, createWorld, type RequestOptions, type World } from "./world.ts";

type Content = Readonly<Record<string, unknown>>;

interface NamedObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: Content;
}

/** A SecurityPolicy on a route of its own, and what is seen of it. */
export interface SecurityCase {
  readonly name: string;
  /** Of the policy, without its targets. */
  readonly spec: Content;
  /** What the policy refers to. */
  readonly objects?: readonly object[];
  /** More of the rule. */
  readonly rule?: Content;
  readonly check: (place: SecurityPlace) => Promise<void>;
}

/** What a case has to look at its own route. */
export interface SecurityPlace {
  readonly host: string;
  send(options?: Partial<RequestOptions>): Promise<Answer>;
  status(options?: Partial<RequestOptions>): Promise<number>;
}

export interface SecurityWorld extends World {
  placeOf(name: string): SecurityPlace;
  /** Serves other objects in place of those of one case. */
  replace(name: string, objects: readonly object[]): void;
  /** Objects of a case with changes. */
  objectsOf(name: string, changes?: Partial<Pick<SecurityCase, "spec" | "objects">>): readonly object[];
}

/** A test for each case. Answers the world for tests of their own, which is there when they run. */
export function testSecurityCases(cases: readonly SecurityCase[], limitMs = 30_000): () => SecurityWorld {
  let world: SecurityWorld;
  beforeAll(async () => {
    world = await serveSecurityCases(cases);
  }, 60_000);
  afterAll(() => world?.stop(), 30_000);
  test.each(cases)("$name", ({ name, check }) => check(world.placeOf(name)), limitMs);
  return () => world;
}

/** All cases are served by one Envoy and reach one backend, which echoes. */
async function serveSecurityCases(cases: readonly SecurityCase[]): Promise<SecurityWorld> {
  const world = await createWorld();
  const { port } = await world.backend("app");
  world.files.writeAtomically("app.yaml", toYaml(serviceObjects("app", [port])));
  const indexOf = (name: string) => cases.findIndex((each) => each.name === name);
  const hostOf = (index: number) => `case-${index}.example.com`;
  const build = (index: number, { spec, objects = [], rule = {} }: Pick<SecurityCase, "spec" | "objects" | "rule">) => {
    const name = `case-${index}`;
    return [
      routeOf(name, hostOf(index), { backendRefs: [{ name: "app", port: 80 }], ...rule }),
      policyOfRoute("SecurityPolicy", name, spec),
      ...objects,
    ];
  };
  const write = (index: number, objects: readonly object[]) =>
    world.files.writeAtomically(`case-${index}.yaml`, toYaml(objects));
  for (const [index, each] of cases.entries()) write(index, build(index, each));
  // Refused, so that it is seen to be served.
  write(cases.length, build(cases.length, { spec: { cors: { allowMethods: ["no method"] } } }));
  const place = (index: number): SecurityPlace => {
    const send: SecurityPlace["send"] = (options = {}) => world.send({ host: hostOf(index), ...options });
    return { host: hostOf(index), send, status: async (options) => (await send(options)).status };
  };
  await waitFor("all cases to be served", async () => {
    const statuses = await Promise.all([...cases.keys()].map((index) => place(index).status()));
    return (await place(cases.length).status()) === 500 && !statuses.includes(404);
  });
  return {
    ...world,
    placeOf: (name) => place(indexOf(name)),
    replace: (name, objects) => write(indexOf(name), objects),
    objectsOf(name, changes) {
      const index = indexOf(name);
      return build(index, { ...(cases[index] as SecurityCase), ...changes });
    },
  };
}

/** The SecurityPolicy of a name that the documentation shows, and what it shows with it. */
export function documented(name: string): Required<Pick<SecurityCase, "spec" | "objects">> {
  const page = readFileSync(new URL("../../docs/policies/securitypolicy.md", import.meta.url), "utf8");
  for (const [, block = ""] of page.matchAll(/```yaml\n(.*?)```/gs)) {
    const objects = parseAllDocuments(block).map((document) => document.toJS() as NamedObject);
    const policy = objects.find(({ kind, metadata }) => kind === "SecurityPolicy" && metadata.name === name);
    if (policy === undefined) continue;
    const { targetRefs: _, ...spec } = policy.spec ?? {};
    return { spec, objects: objects.filter((each) => each !== policy) };
  }
  throw new Error(`docs/policies/securitypolicy.md shows no SecurityPolicy ${name}`);
}
