import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { proxyCases } from "../../src/api/envoyproxy.test-support.ts";
import { origins } from "../../src/api/security-policies.test-support.ts";
import { policyCases, publishedBackendSpecs } from "../../src/api/traffic-policies.test-support.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { installCrds } from "./gateway-api.ts";
import { connectTo } from "./input-world.ts";

/** The CEL rules of our CRDs mean to a real API server what they mean to our own validator (`src/api/traffic-policies.test.ts`). */

// A machine that does other things as well takes its time.
jest.setTimeout(60_000);

const plurals = {
  ClientTrafficPolicy: "clienttrafficpolicies",
  BackendTrafficPolicy: "backendtrafficpolicies",
  SecurityPolicy: "securitypolicies",
  // What all kinds say of servers and backends is broken here.
  EnvoyProxy: "envoyproxies",
} as const;
type Kind = keyof typeof plurals;

const rules = { ...policyCases, EnvoyProxy: proxyCases };

let server: ApiServer;
let client: KubeClient;

beforeAll(async () => {
  server = await startApiServer({});
  await installCrds(server, "standard");
  client = connectTo({ url: server.url, caCertificate: server.caCertificate, token: server.adminToken });
}, 180_000);
afterAll(async () => {
  await client?.close();
  await server?.stop();
});

let created = 0;

async function create(kind: Kind, spec: unknown) {
  const [group, version] = ["gateway.envoyproxy.io", "v1alpha1"];
  const object = {
    apiVersion: `${group}/${version}`,
    kind,
    metadata: { namespace: "default", name: `policy-${created++}` },
    // Undefined fields are none.
    spec: JSON.parse(JSON.stringify(spec)) as object,
  };
  return client.create({ group, version, kind, plural: plurals[kind], namespaced: true }, object);
}

describe.each(Object.keys(plurals) as Kind[])("%s", (kind) => {
  test.each(rules[kind])("%s", async (message, valid, invalid) => {
    expect(await create(kind, valid)).toMatchObject({ ok: true });
    const refused = await create(kind, invalid);
    expect(refused).toMatchObject({ ok: false, error: { status: 422 } });
    expect(JSON.stringify(refused)).toContain(JSON.stringify(message).slice(1, -1));
  });
});

test.each(publishedBackendSpecs)("%j is taken as it is", async (spec) => {
  expect(await create("BackendTrafficPolicy", spec)).toMatchObject({ ok: true });
});

/** The pattern of the CRD is another one than that of our validator. */
test("origins mean to the API server what they mean to us", async () => {
  const spec = (allowOrigins: readonly string[]) => ({
    targetRefs: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "a" }],
    cors: { allowOrigins },
  });
  expect(await create("SecurityPolicy", spec(origins.valid))).toMatchObject({ ok: true });
  for (const origin of origins.invalid) {
    expect(await create("SecurityPolicy", spec([origin]))).toMatchObject({ ok: false, error: { status: 422 } });
  }
});
