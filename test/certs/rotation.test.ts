import type { PeerCertificate } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { infrastructureName } from "../../src/attach/infrastructure-name.ts";
import { authorizeByCertificate } from "../../src/certs/client-certificate.ts";
import { gatewaySubject, type Subject, serverName, serverSubject } from "../../src/certs/identity.ts";
import { issueAuthority, issueLeaf } from "../../src/certs/issue.ts";
import { defaultLifetimes, type Lifetimes } from "../../src/certs/lifetimes.ts";
import { backendCluster, httpListener, routes } from "../../src/xds/envoy-resources.test-support.ts";
import { createResourceStore } from "../../src/xds/resource-store.ts";
import { createXdsServer, type XdsServer } from "../../src/xds/server.ts";
import type { Refusal } from "../../src/xds/stream.ts";
import { difference, world } from "../../src/xds/world.test-support.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { startBackend } from "../harness/backend.ts";
import { startLoad } from "../harness/load.ts";
import { freePort } from "../harness/ports.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import {
  createNamespace,
  demandFor,
  type Replica,
  readSecrets,
  readTrust,
  service,
  startReplica,
  textOf,
} from "./installation.ts";
import { createPodFolders, type PodFolders, startSecuredEnvoy } from "./secured-envoy.ts";

const GATEWAY = "default/web";
const SECOND_MS = 1000;

const cleanups: (() => unknown)[] = [];
let api: ApiServer;

beforeAll(async () => {
  api = await startApiServer();
}, 120_000);
afterAll(() => api?.stop());
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface ControlPlane {
  readonly server: XdsServer;
  readonly address: string;
  readonly port: number;
  readonly refusals: readonly Refusal[];
  /** Certificates by which streams were opened, in order. */
  readonly admitted: readonly PeerCertificate[];
}

/** An xDS server with one gateway that answers from a backend. */
async function startControlPlane(namespace: string): Promise<ControlPlane> {
  const [port, backend] = [await freePort(), await startBackend()];
  const store = createResourceStore();
  const resources = world(...backendCluster("c", backend.port), httpListener("web", port, "web"), routes("c"));
  store.publish(difference(world(), resources, GATEWAY));
  const refusals: Refusal[] = [];
  const admitted: PeerCertificate[] = [];
  const byCertificate = authorizeByCertificate(namespace);
  const server = createXdsServer({
    store,
    tls: { clientCertificates: true },
    authorize(call, node) {
      const decision = byCertificate(call, node);
      if ("gateway" in decision && call.certificate !== undefined) admitted.push(call.certificate);
      return decision;
    },
    onDenial: (refusal) => refusals.push(refusal),
    onAcknowledgement() {},
    onConnection() {},
  });
  const address = await server.listen("127.0.0.1:0");
  cleanups.push(
    () => backend.stop(),
    () => server.close({ graceMilliseconds: 100 }),
  );
  return { server, address, port, refusals, admitted };
}

function podFolders(namespace: string): PodFolders {
  const folders = createPodFolders(serverName(service(namespace)));
  cleanups.push(folders.remove);
  return folders;
}

async function runEnvoy({ address }: ControlPlane, { tls }: PodFolders) {
  const envoy = await startSecuredEnvoy({ gateway: GATEWAY, nodeId: "pod-1", address, tls });
  cleanups.push(() => envoy.stop());
  return envoy;
}

/** What kubelet does: it waits for what a pod mounts, and some time after a change the pod sees it. */
async function keepMounted(namespace: string, folders: PodFolders, replica: Replica): Promise<void> {
  let stopped = false;
  let mounts = 0;
  const done = (async () => {
    while (!stopped) {
      const secret = (await readSecrets(replica.client, namespace)).get(infrastructureName(GATEWAY));
      const authorities = await readTrust(replica.client, namespace);
      if (secret !== undefined && authorities !== undefined) {
        const [certificate, key] = [textOf(secret, "tls.crt"), textOf(secret, "tls.key")];
        folders.mount("certificates", { "tls.crt": certificate, "tls.key": key, "ca.crt": authorities });
        mounts++;
      }
      await pause(300);
    }
  })();
  cleanups.push(() => {
    stopped = true;
    return done;
  });
  await waitFor("what the pod mounts", () => mounts > 0);
}

test("authorities and leaves rotate under a live Envoy: nothing fails, nothing is resent, every stream is of a fresh certificate", async () => {
  const namespace = "gatehouse-rotation";
  await createNamespace(api, namespace);
  const plane = await startControlPlane(namespace);
  const lifetimes: Lifetimes = {
    ...defaultLifetimes,
    authority: 24 * SECOND_MS,
    leaf: 10 * SECOND_MS,
    trustLead: 3 * SECOND_MS,
    backdate: SECOND_MS,
  };
  const replica = startReplica(api, namespace, { lifetimes, onMaterial: plane.server.setCertificates });
  cleanups.push(replica.close);
  replica.certificates.demand(demandFor(namespace, [GATEWAY]));
  replica.certificates.lead(true);
  const folders = podFolders(namespace);
  await keepMounted(namespace, folders, replica);
  const envoy = await runEnvoy(plane, folders);
  await waitFor("the listener", () => plane.server.counters.acknowledgements >= 4);

  const sent = plane.server.counters.resources;
  const load = await startLoad({ port: plane.port, requestsPerSecond: 100 });
  const authorities = () => new Set(plane.admitted.map(({ issuer }) => issuer.CN));
  await waitFor("three authorities", () => authorities().size >= 3 && plane.admitted.length >= 5, 90_000);
  const report = await load.stop();

  expect(report).toMatchObject({ failed: 0, failures: [] });
  expect(report.requests).toBeGreaterThan(1000);
  expect(plane.server.counters.resources).toBe(sent);
  // With lives of seconds a busy machine may be late; nobody may be unknown.
  expect(plane.refusals.filter(({ why }) => !why.includes("EXPIRED"))).toEqual([]);
  const serials = plane.admitted.map(({ serialNumber }) => serialNumber);
  expect(new Set(serials).size).toBe(serials.length);
  expect(
    (await envoy.stats("ssl.connection_error|fail_verify")).get("cluster.xds_cluster.ssl.fail_verify_san") ?? 0,
  ).toBe(0);
  const config = await envoy.admin("/config_dump");
  for (const secret of (await readSecrets(replica.client, namespace)).values()) {
    expect(config).not.toContain(textOf(secret, "tls.key"));
  }
}, 150_000);

test("Envoy gives nothing to a control plane that cannot show its name: neither a gateway's certificate will do, nor that of another service", async () => {
  const namespace = "gatehouse-rogue";
  const plane = await startControlPlane(namespace);
  const validity = { notBefore: Date.now() - 60 * SECOND_MS, notAfter: Date.now() + 600 * SECOND_MS };
  const authority = await issueAuthority("authority", validity);
  const show = async (subject: Subject, by = authority) => {
    const pair = await issueLeaf(by, subject, validity);
    plane.server.setCertificates({ ...pair, authorities: authority.certificate });
  };
  const folders = podFolders(namespace);
  const { certificate, key } = await issueLeaf(authority, gatewaySubject(namespace, GATEWAY), validity);
  folders.mount("certificates", { "tls.crt": certificate, "tls.key": key, "ca.crt": authority.certificate });
  await show(gatewaySubject(namespace, GATEWAY));
  await runEnvoy(plane, folders);
  const right = serverSubject(service(namespace), "cluster.local");
  const sameName = await issueAuthority("authority", validity);
  const impostors: [RegExp, () => Promise<void>][] = [
    [/UNSUPPORTED_CERTIFICATE/, () => show({ ...right, usage: "client" })],
    [/UNKNOWN|BAD_CERTIFICATE/, () => show(serverSubject({ namespace, name: "another" }, "cluster.local"))],
    [/UNKNOWN_CA|BAD_SIGNATURE|DECRYPT/, () => show(right, sameName)],
  ];
  for (const [alert, impersonate] of impostors) {
    await impersonate();
    const before = plane.refusals.length;
    await waitFor(`the alert ${alert}`, () => plane.refusals.slice(before + 1).some(({ why }) => alert.test(why)));
  }
  expect(plane.admitted).toEqual([]);
  await show(right);
  await waitFor("the listener", () => plane.server.counters.acknowledgements >= 4);
}, 60_000);
