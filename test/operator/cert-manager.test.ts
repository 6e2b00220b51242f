import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { infrastructureName } from "../../src/attach/infrastructure-name.ts";
import { SERVER_SECRET } from "../../src/certs/objects.ts";
import { renew, startCertManager } from "../certs/cert-manager.ts";
import { send } from "../harness/client.ts";
import { startLoad } from "../harness/load.ts";
import type { MeasuredProcess } from "../harness/process.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { createAuditTrail } from "./audit.ts";
import { findNeeded, printGrant, readRoles } from "./grants.ts";
import { quickstart, START_LIMIT_MS, STEP_LIMIT_MS, SYSTEM, startWorld, statusCode, type World } from "./world.ts";

/** config/cert-manager as users install it, and the real cert-manager beside it: its controllers and its gateway-shim. */

const USER = `system:serviceaccount:${SYSTEM}:gatehouse`;
const AUTHORITY = "gatehouse-xds-ca-1";
const ENVOY = infrastructureName("default/eg");
const HOST = "web.example.com";
const audit = createAuditTrail(USER);
const manifests = (name: string) => readFileSync(new URL(name, import.meta.url), "utf8");

let world: World;
let certManager: MeasuredProcess | undefined;
let address = "";

beforeAll(async () => {
  world = await startWorld({ apiServerArgs: audit.apiServerArgs });
  await world.install("config/cert-manager");
  await world.apply(quickstart);
  await world.apply(manifests("cert-manager.yaml"));
}, START_LIMIT_MS);

afterAll(async () => {
  await certManager?.stop();
  await world?.cluster.stop();
  audit.remove();
}, START_LIMIT_MS);

/** Of the one pod of the operator, through its address. */
async function ofOperator(port: number, path: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://${await operatorAddress()}:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

async function operatorAddress(): Promise<string> {
  const selector = ["-l", "app.kubernetes.io/name=gatehouse,app.kubernetes.io/component=control-plane"];
  return world.kubectl("get", "pods", "-n", SYSTEM, ...selector, "-o", "jsonpath={.items[0].status.podIP}");
}

async function certificateIn(name: string, namespace = SYSTEM): Promise<X509Certificate> {
  const path = `/api/v1/namespaces/${namespace}/secrets/${name}`;
  const { data } = await world.cluster.rest.json<{ data: Record<string, string> }>(path);
  return new X509Certificate(Buffer.from(data["tls.crt"] ?? "", "base64"));
}

/** What the xDS server shows to whoever connects; that it then wants the client's certificate does not matter here. */
async function shownByServer(): Promise<X509Certificate | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate | undefined>();
  const socket = connect({
    host: await operatorAddress(),
    port: 18_000,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
  });
  socket.once("secureConnect", () => resolve(socket.getPeerX509Certificate()));
  socket.once("error", reject);
  return promise.finally(() => socket.destroy());
}

/** Name, restarts and start of every pod of Gatehouse and its Envoys. */
const pods = () => {
  const fields = "{.metadata.name} {.status.containerStatuses[*].restartCount} {.status.startTime}";
  return world.kubectl("get", "pods", "-n", SYSTEM, "-o", `jsonpath={range .items[*]}${fields}{"\\n"}{end}`);
};

/** A change of the route reaches Envoy: its connection to the control plane works. */
async function isProgrammed(path: string): Promise<void> {
  const redirect = { type: "RequestRedirect", requestRedirect: { hostname: "elsewhere.example.com", statusCode: 302 } };
  const rule = { matches: [{ path: { value: path } }], filters: [redirect] };
  const patch = JSON.stringify([{ op: "add", path: "/spec/rules/-", value: rule }]);
  await world.kubectl("patch", "httproute", "echo", "--type=json", "-p", patch);
  const answers = () => fetch(`http://${address}${path}`, { redirect: "manual" }).then(({ status }) => status === 302);
  await waitFor(`the new rule for ${path}`, answers, STEP_LIMIT_MS);
}

test(
  "while there is no cert-manager, Gatehouse is not ready and says what to do",
  async () => {
    const said = await waitFor(
      "the reason",
      async () => {
        const { status, text } = await ofOperator(8081, "/readyz");
        return status === 503 && text.includes("GATEHOUSE_CERTIFICATES") && text;
      },
      STEP_LIMIT_MS,
    );
    expect(said).toMatch(/^waiting for the certificate of the xDS server: cert-manager .*is not installed/m);
    const log = () => world.kubectl("logs", "-n", SYSTEM, "deployment/gatehouse");
    await waitFor("the log to say it", async () => (await log()).includes("install cert-manager"), STEP_LIMIT_MS);
  },
  2 * STEP_LIMIT_MS,
);

test(
  "once it is there it makes the certificates, and a Gateway is served with them",
  async () => {
    certManager = await startCertManager(world.cluster);
    address = await world.untilServed("eg", "/hello");
    const authority = await certificateIn(AUTHORITY);
    for (const name of [SERVER_SECRET, ENVOY]) {
      expect((await certificateIn(name)).checkIssued(authority)).toBe(true);
      const reason = ["-o", "jsonpath={.status.conditions[?(@.type=='Ready')].reason}"];
      expect(await world.kubectl("get", "certificate", "-n", SYSTEM, name, ...reason)).toBe("Ready");
    }
    expect((await ofOperator(8081, "/readyz")).status).toBe(200);
    const { text } = await ofOperator(19_001, "/metrics");
    for (const name of [SERVER_SECRET, ENVOY, AUTHORITY]) {
      const expiry = (await certificateIn(name)).validToDate.getTime() / 1000;
      expect(text).toContain(`gatehouse_certificate_expiry_timestamp_seconds{certificate="${name}"} ${expiry}\n`);
    }
  },
  2 * STEP_LIMIT_MS,
);

test(
  "certificates are renewed, and even the authority lost and made anew, without a failed request or a restart",
  async () => {
    await waitFor("Envoy's pods", async () => (await pods()).trim().split("\n").length >= 3, STEP_LIMIT_MS);
    await world.kubectl("wait", "-n", SYSTEM, "--for=condition=Ready", "pods", "--all", "--timeout=60s");
    const before = await pods();
    const load = await startLoad({ address, port: 80, path: "/hello" });
    const old = { server: await certificateIn(SERVER_SECRET), envoy: await certificateIn(ENVOY) };
    for (const name of [SERVER_SECRET, ENVOY]) await renew(world.cluster, SYSTEM, name);
    await waitFor(
      "renewed certificates",
      async () =>
        (await certificateIn(SERVER_SECRET)).serialNumber !== old.server.serialNumber &&
        (await certificateIn(ENVOY)).serialNumber !== old.envoy.serialNumber,
      STEP_LIMIT_MS,
    );
    const { serialNumber } = await certificateIn(SERVER_SECRET);
    await waitFor("the server to show it", async () => (await shownByServer())?.serialNumber === serialNumber);
    await isProgrammed("/renewed");

    const { publicKey } = await certificateIn(AUTHORITY);
    await world.kubectl("delete", "-n", SYSTEM, "secret", AUTHORITY);
    await waitFor(
      "certificates of another authority",
      async () =>
        !(await certificateIn(SERVER_SECRET)).verify(publicKey) && !(await certificateIn(ENVOY)).verify(publicKey),
      STEP_LIMIT_MS,
    );
    await waitFor("the server to show it", async () => (await shownByServer())?.verify(publicKey) === false);
    await isProgrammed("/anew");
    // What comes late is seen too.
    await pause(3_000);
    expect((await load.stop()).failures).toEqual([]);
    expect(await pods()).toBe(before);
  },
  3 * STEP_LIMIT_MS,
);

test(
  "the gateway-shim makes the certificate of a Gateway that names an issuer, and the listener goes from none to a 200",
  async () => {
    const status = () => world.kubectl("get", "gateway", "secure", "-o", "jsonpath={.status}");
    await waitFor("the reason", async () => (await status()).includes("InvalidCertificateRef"), STEP_LIMIT_MS);
    await world.apply(manifests("cert-manager-issuer.yaml"));
    const authority = await waitFor("the authority", () => certificateIn("authority", "default"), STEP_LIMIT_MS);
    const secure = await waitFor(
      "an address",
      async () => (await world.statusOf("gateway/secure")).addresses?.[0]?.value,
      STEP_LIMIT_MS,
    );
    const tls = { servername: HOST, authority: authority.toString() };
    const answer = await waitFor(
      "a 200",
      async () => {
        const got = await send({ address: secure, port: 443, host: HOST, tls });
        return got.status === 200 && got;
      },
      STEP_LIMIT_MS,
    );
    const { serialNumber } = await certificateIn("web-certificate", "default");
    expect(answer.tls?.certificate.serialNumber).toBe(serialNumber);
    await waitFor("the status", async () => !(await status()).includes("InvalidCertificateRef"), STEP_LIMIT_MS);
    const programmed = async () => (await world.condition("gateway/secure", "Programmed"))?.status === "True";
    await waitFor("Programmed", programmed, STEP_LIMIT_MS);
    expect(await statusCode(address, "/hello")).toBe(200);
  },
  3 * STEP_LIMIT_MS,
);

test(
  "nothing was refused, and no permission for cert-manager's kinds is one too many",
  async () => {
    // A Gateway's certificate goes with it.
    await world.kubectl("delete", "gateway", "secure");
    const gone = infrastructureName("default/secure");
    const left = () => world.kubectl("get", "certificate", "-n", SYSTEM, gone, "--ignore-not-found", "-o", "name");
    await waitFor("its end", async () => (await left()) === "", STEP_LIMIT_MS);
    const record = audit.read();
    expect(record.filter(({ allowed }) => !allowed)).toEqual([]);
    const roles = await readRoles(world.cluster.rest, SYSTEM, /^gatehouse-cert-manager$/);
    const { all, needed } = await findNeeded(world.cluster.rest, roles, USER, { record, unclear: () => true });
    expect(all.length).toBeGreaterThan(0);
    expect(needed.map(printGrant)).toEqual(all.map(printGrant));
  },
  2 * STEP_LIMIT_MS,
);
