import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { afterEach, expect, test } from "@jest/globals";
import type { IConfigMap, IPodTemplateSpec } from "kubernetes-models/v1";
import { podPorts, podSockets } from "../../src/envoy/pod-ports.ts";
import { askEnvoy } from "../../src/infra/envoy-admin.ts";
import { locateEnvoy } from "../../src/infra/envoy-binary.ts";
import { ENVOY_IMAGE, podTls } from "../../src/infra/kubernetes/environment.ts";
import { renderGateway } from "../../src/infra/kubernetes/render.ts";
import { type Authority, createAuthority, type KeyPair } from "../harness/certificates.ts";
import { temporaryDirectory } from "../harness/directory.ts";
import { freePorts } from "../harness/ports.ts";
import { launch } from "../harness/process.ts";
import { waitFor } from "../harness/waiting.ts";

const SERVER_NAME = "gatehouse.gatehouse-system.svc";
const closers: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A control plane that lets in whoever the authority has signed, and notes who came. */
async function startServer(authority: Authority, pair: KeyPair) {
  const seen: { client: string; serverName: string; protocol: string }[] = [];
  const sockets = new Set<TLSSocket>();
  const server: Server = createServer({
    cert: pair.certificate,
    key: pair.key,
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.3",
  });
  server.on("secureConnection", (socket: TLSSocket & { servername?: string }) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    const client = String(socket.getPeerCertificate().subject?.CN);
    seen.push({ client, serverName: socket.servername ?? "", protocol: String(socket.alpnProtocol) });
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const drop = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  closers.push(() => {
    drop();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen, drop };
}

/** A Secret as the kubelet mounts it: files are links into a folder that is swapped as a whole. */
function mountSecret(folder: string, version: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, version), { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, version, name), content);
  symlinkSync(version, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  if (version !== "..1") return;
  for (const name of Object.keys(files)) symlinkSync(join("..data", name), join(folder, name));
}

/** Runs the container `envoy` of a rendered pod on this host: its folders and its own ports are moved. */
async function runPod(controlPlanePort: number, certs: string, sds: string) {
  const objects = renderGateway(
    {
      gateway: "default/eg",
      ports: [10_080],
      served: [{ name: "http-80", port: 80, bindPort: 10_080, protocol: "TCP" }],
      settings: { logging: { level: { default: "info" } } },
      held: false,
      members: [],
      gatewayClass: { name: "gatehouse" },
      addresses: [],
      labels: {},
      annotations: {},
    },
    {
      namespace: "gatehouse-system",
      inGatewayNamespace: false,
      controlPlane: {
        address: { host: "127.0.0.1", port: controlPlanePort },
        tls: podTls(SERVER_NAME, false),
      },
      envoyImage: ENVOY_IMAGE,
      clusterDomain: "cluster.local",
      gatehouseImage: "example.com/gatehouse:v1",
    },
  );
  const ports = await freePorts(2);
  const move = (text: string) =>
    [podPorts.stats, podPorts.ready].reduce(
      (moved, port, index) => moved.replaceAll(`:${port}`, `:${ports[index]}`),
      text.replaceAll("/certs", certs).replaceAll("/sds", sds).replaceAll(podSockets.folder, sds),
    );
  const files = objects.find(({ kind }) => kind === "ConfigMap") as unknown as IConfigMap;
  mkdirSync(sds, { recursive: true });
  for (const [name, content] of Object.entries(files.data ?? {})) writeFileSync(join(sds, name), move(content));
  const workload = objects.find(({ kind }) => kind === "Deployment") as unknown as {
    spec: { template: IPodTemplateSpec };
  };
  const container = workload.spec.template.spec?.containers.find(({ name }) => name === "envoy");
  const args = (container?.args ?? []).map((arg) =>
    move(arg).replace("$(ENVOY_POD_NAME)", "pod-1").replace("$(ENVOY_SERVICE_ZONE)", ""),
  );
  const envoy = launch({
    command: await locateEnvoy(),
    args: [...args, "--use-dynamic-base-id"],
    logPath: join(sds, "envoy.log"),
  });
  closers.push(() => envoy.stop());
  return { envoy, adminSocket: join(sds, basename(podSockets.admin)), statsPort: ports[0]!, readyPort: ports[1]! };
}

test("the Envoy of a rendered pod shows its certificate, trusts the control plane's alone, and takes a rotated one without a restart", async () => {
  const folder = temporaryDirectory();
  closers.push(() => folder.discard());
  const authority = createAuthority();
  const secret = (name: string) => {
    const leaf = authority.issue({ dnsNames: [name], usage: "clientAuth" });
    return { "tls.crt": leaf.certificate, "tls.key": leaf.key, "ca.crt": authority.certificate };
  };
  const certs = join(folder.path, "certs");
  mountSecret(certs, "..1", secret("first"));
  const server = await startServer(authority, authority.issue({ dnsNames: [SERVER_NAME], usage: "serverAuth" }));
  const pod = await runPod(server.port, certs, join(folder.path, "sds"));
  await waitFor("the connection", () => server.seen.length > 0).catch((error: Error) => {
    throw new Error(`${error.message}\n${pod.envoy.log().slice(-2000)}`);
  });
  expect(server.seen[0]).toEqual({ client: "first", serverName: SERVER_NAME, protocol: "h2" });
  // Nothing is known to be served yet, so the pod is not ready.
  await expect(fetch(`http://127.0.0.1:${pod.readyPort}/ready`)).rejects.toThrow();
  mountSecret(certs, "..2", secret("second"));
  await waitFor("the rotated certificate", () => {
    server.drop();
    return server.seen.some(({ client }) => client === "second");
  });
  expect(pod.envoy.alive).toBe(true);
}, 60_000);

test("a server that only has a certificate of the authority, and another name, is none", async () => {
  const folder = temporaryDirectory();
  closers.push(() => folder.discard());
  const authority = createAuthority();
  const leaf = authority.issue({ dnsNames: ["client"], usage: "clientAuth" });
  const certs = join(folder.path, "certs");
  mountSecret(certs, "..1", { "tls.crt": leaf.certificate, "tls.key": leaf.key, "ca.crt": authority.certificate });
  const server = await startServer(
    authority,
    authority.issue({ dnsNames: ["other.example.com"], usage: "serverAuth" }),
  );
  const pod = await runPod(server.port, certs, join(folder.path, "sds"));
  const failures = async () => {
    const text = await askEnvoy(pod.adminSocket, "GET", "/stats?filter=xds_cluster.ssl.fail_verify_san");
    return Number(text.split(": ")[1]) > 0;
  };
  await waitFor("the refusal", () => failures().catch(() => false));
}, 60_000);
