import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { silentLogger } from "../../src/base/log.ts";
import { createControlPlane } from "../../src/cli/control-plane.ts";
import { startKubernetesInput } from "../../src/inputs/kubernetes/kubernetes-input.ts";
import { buildBootstrap } from "../../src/translate/bootstrap.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { temporaryDirectory } from "../harness/directory.ts";
import { startEnvoy } from "../harness/envoy.ts";
import { freePort } from "../harness/ports.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { installCrds } from "../kube/gateway-api.ts";
import { applyTo, connectTo } from "../kube/input-world.ts";
import { renew, startCertManager } from "./cert-manager.ts";

const HOST = "web.example.com";
const cleanups: (() => unknown)[] = [];
let api: ApiServer;

beforeAll(async () => {
  api = await startApiServer();
  cleanups.push(() => api.stop());
  await installCrds(api);
  const certManager = await startCertManager(api);
  cleanups.push(() => certManager.stop());
}, 180_000);
afterAll(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Everything between the API server and an Envoy. */
async function serve(): Promise<void> {
  const folder = temporaryDirectory();
  const client = connectTo({ url: api.url, token: api.adminToken, caCertificate: api.caCertificate });
  const control = createControlPlane({
    settings: {
      controllerNames: ["gatehouse.dev/gateway-controller"],
      hostInfrastructure: true,
      privilegedPortOffset: 0,
    },
    log: silentLogger,
    onInfrastructure() {},
    onStatuses() {},
  });
  const input = startKubernetesInput({
    client,
    scope: { type: "All" },
    log: silentLogger,
    onBatch(batch) {
      control.pipeline.stage(batch);
      control.pipeline.notify();
    },
    onSynced() {
      control.pipeline.markSynced();
      control.pipeline.notify();
    },
  });
  const unixPath = join(folder.path, "xds");
  await control.xds.listen(`unix:${unixPath}`);
  const node = { id: "pod", cluster: "default/web" };
  const envoy = await startEnvoy({
    config: buildBootstrap({ node, xds: { address: { unixPath } }, admin: { port: 0 } }),
  });
  cleanups.push(
    () => folder.discard(),
    () => client.close(),
    () => control.pipeline.stop(),
    () => input.stop(),
    () => control.xds.close({ graceMilliseconds: 100 }),
    () => envoy.stop(),
  );
}

/** The certificate that one new connection is shown. */
function shake(port: number, authority: string): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, servername: HOST, ca: authority, ALPNProtocols: ["h2", "http/1.1"] }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

const gatewayApi = "gateway.networking.k8s.io/v1";
const certManagerApi = "cert-manager.io/v1";

test("a Gateway that names an issuer gets its certificate from cert-manager, and a renewed one is live within a second, without a failed handshake", async () => {
  const port = await freePort();
  await applyTo(
    api,
    {
      apiVersion: certManagerApi,
      kind: "Issuer",
      metadata: { namespace: "default", name: "root" },
      spec: { selfSigned: {} },
    },
    {
      apiVersion: certManagerApi,
      kind: "Certificate",
      metadata: { namespace: "default", name: "authority" },
      spec: {
        isCA: true,
        commonName: "authority",
        secretName: "authority",
        issuerRef: { name: "root", kind: "Issuer", group: "cert-manager.io" },
      },
    },
    {
      apiVersion: certManagerApi,
      kind: "Issuer",
      metadata: { namespace: "default", name: "company" },
      spec: { ca: { secretName: "authority" } },
    },
    {
      apiVersion: gatewayApi,
      kind: "GatewayClass",
      metadata: { name: "gatehouse" },
      spec: { controllerName: "gatehouse.dev/gateway-controller" },
    },
    {
      apiVersion: gatewayApi,
      kind: "Gateway",
      metadata: { namespace: "default", name: "web", annotations: { "cert-manager.io/issuer": "company" } },
      spec: {
        gatewayClassName: "gatehouse",
        listeners: [
          {
            name: "https",
            protocol: "HTTPS",
            port,
            hostname: HOST,
            tls: { certificateRefs: [{ name: "web-certificate" }] },
          },
        ],
      },
    },
  );
  await serve();
  const secrets = "/api/v1/namespaces/default/secrets";
  const read = async (name: string, key: string) => {
    const { data } = await api.rest.json<{ data: Record<string, string> }>(`${secrets}/${name}`);
    return Buffer.from(data[key] ?? "", "base64").toString();
  };
  const authority = await waitFor("the authority", () => read("authority", "tls.crt"));
  const first = await waitFor("the listener", () => shake(port, authority));
  expect(first.checkHost(HOST)).toBe(HOST);

  const seen: { serial: string; atMs: number }[] = [];
  const failures: string[] = [];
  let stopped = false;
  cleanups.push(() => {
    stopped = true;
  });
  const traffic = (async () => {
    while (!stopped) {
      await shake(port, authority).then(
        ({ serialNumber }) => seen.push({ serial: serialNumber, atMs: Date.now() }),
        (error) => failures.push(String(error)),
      );
      await pause(5);
    }
  })();
  let serial = first.serialNumber;
  for (let round = 0; round < 3; round++) {
    await renew(api, "default", "web-certificate");
    const previous = serial;
    serial = await waitFor("the Secret to change", async () => {
      const now = new X509Certificate(await read("web-certificate", "tls.crt")).serialNumber;
      return now !== previous && now;
    });
    const changedAt = Date.now();
    const shown = await waitFor("the new certificate", () => seen.find((each) => each.serial === serial));
    expect(shown.atMs - changedAt).toBeLessThan(1000);
  }
  stopped = true;
  await traffic;
  expect(failures).toEqual([]);
  expect(seen.length).toBeGreaterThan(20);
  // Nobody is shown the old one once another was shown the new one.
  const order = seen.map((each) => each.serial).filter((each, at, all) => each !== all[at - 1]);
  expect(order.length).toBe(4);
}, 120_000);
