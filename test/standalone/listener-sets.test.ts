import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority } from "../harness/certificates.ts";
import { send } from "../harness/client.ts";
import { gatewayYaml, tlsSecretYaml } from "../harness/kubernetes-yaml.ts";
import { freePort } from "../harness/ports.ts";
import { openRawTlsConnection, type RawConnection, rawRequest } from "../harness/raw-connection.ts";
import { waitFor } from "../harness/waiting.ts";
import { backendYaml, createWorld, toBackend, type World } from "./world.ts";

/** ListenerSets of teams on a Gateway of somebody else: each with names, certificates and routes of its own on one port. */
let world: World;
let securePort: number;

const authority = createAuthority();

beforeAll(async () => {
  world = await createWorld();
  securePort = await freePort();
  const listeners = `[{name: http, protocol: HTTP, port: ${world.port}, hostname: infra.test}]`;
  world.files.writeAtomically(
    "gateway.yaml",
    `${gatewayYaml({ name: "web", listeners })}\n  allowedListeners: {namespaces: {from: All}}\n`,
  );
  writeRoute("default", "{name: web}", (await world.backend("infra")).port, "infra");
  for (const team of ["team-a", "team-b"]) {
    const pair = authority.issue({ dnsNames: [`${team}.test`], commonName: team });
    world.files.writeAtomically(`${team}-secret.yaml`, tlsSecretYaml({ name: "web", namespace: team, ...pair }));
    writeRoute(team, "{kind: ListenerSet, name: set}", (await world.backend(team)).port, team);
  }
  writeSet("team-a", 2);
  await served("team-a");
}, 60_000);

afterAll(() => world.stop(), 30_000);

/** A ListenerSet of a team: its host over TLS on the common port, and plain on the Gateway's own. */
function writeSet(team: string, day: number, ...more: string[]): void {
  const listeners = [
    `{name: secure, protocol: HTTPS, port: ${securePort}, hostname: ${team}.test, tls: {certificateRefs: [{name: web}]}}`,
    `{name: plain, protocol: HTTP, port: ${world.port}, hostname: ${team}.test}`,
    ...more,
  ];
  world.files.writeAtomically(
    `${team}-set.yaml`,
    `apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: set, namespace: ${team}, creationTimestamp: "2026-01-0${day}T00:00:00Z"}
spec:
  parentRef: {name: web, namespace: default}
  listeners: [${listeners.join()}]
`,
  );
}

function writeRoute(namespace: string, parentRef: string, port: number, backend: string): void {
  const route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: all, namespace: ${namespace}}
spec: {parentRefs: [${parentRef}], rules: [{backendRefs: [${toBackend(backend)}]}]}
`;
  const target = backendYaml(backend, port).replace("namespace: default", `namespace: ${namespace}`);
  world.files.writeAtomically(`${backend}.yaml`, `${target}---\n${route}`);
}

/** The backend that answers for a host; the status where none does. */
async function ask(host: string): Promise<string | number> {
  const { received, status } = await world.send({ host });
  return received?.backend ?? status;
}

/** Over TLS, by its own certificate; `refused` without a connection. */
async function askSecurely(host: string): Promise<string | number> {
  const tls = { servername: host, authority: authority.certificate };
  try {
    const { body, status } = await send({ port: securePort, host, tls });
    return status === 200 ? (JSON.parse(body) as { backend: string }).backend : status;
  } catch {
    return "refused";
  }
}

const served = (team: string) => waitFor(`${team}`, async () => (await askSecurely(`${team}.test`)) === team);

const answerOn = (connection: RawConnection, host: string) =>
  new Promise<number | string>((done) => {
    connection.send(rawRequest(host, "/"), (answer) => done(typeof answer === "string" ? answer : answer.status));
  });

test("routes of a ListenerSet are served on its listeners, and those of the Gateway on the Gateway's", async () => {
  expect(await ask("infra.test")).toBe("infra");
  expect(await ask("team-a.test")).toBe("team-a");
  expect(await ask("team-b.test")).toBe(404);
  expect(await askSecurely("team-a.test")).toBe("team-a");
  expect(await askSecurely("team-b.test")).toBe("refused");
});

test("a team that comes or goes, first in order too, costs no connection of another", async () => {
  const { connection, certificateName } = await openRawTlsConnection(securePort, "team-a.test");
  expect(certificateName).toBe("team-a");
  expect(await answerOn(connection, "team-a.test")).toBe(200);
  writeSet("team-b", 1);
  await served("team-b");
  expect(await ask("team-b.test")).toBe("team-b");
  expect(await answerOn(connection, "team-a.test")).toBe(200);
  world.files.remove("team-b-set.yaml");
  await waitFor("the end of team-b", async () => (await askSecurely("team-b.test")) === "refused");
  expect(await ask("team-b.test")).toBe(404);
  expect(await answerOn(connection, "team-a.test")).toBe(200);
  connection.destroy();
}, 30_000);

test("of two that want one hostname the older has it, and the other once it is gone", async () => {
  writeSet("team-b", 3, `{name: taken, protocol: HTTP, port: ${world.port}, hostname: team-a.test}`);
  await served("team-b");
  const status = () => world.gatehouse().statusText();
  await waitFor("the conflict", async () =>
    /listener taken: .*Conflicted=True \(HostnameConflict\)/.test(await status()),
  );
  expect(await ask("team-a.test")).toBe("team-a");
  world.files.remove("team-a-set.yaml");
  await waitFor("the other", async () => (await ask("team-a.test")) === "team-b");
  writeSet("team-a", 2);
  await waitFor("the older again", async () => (await ask("team-a.test")) === "team-a");
}, 30_000);

test("what the Gateway no longer takes is off at once, and says so", async () => {
  const listeners = `[{name: http, protocol: HTTP, port: ${world.port}, hostname: infra.test}]`;
  world.files.writeAtomically("gateway.yaml", gatewayYaml({ name: "web", listeners }));
  await waitFor("the end of the teams", async () => (await askSecurely("team-a.test")) === "refused");
  expect(await ask("team-a.test")).toBe(404);
  expect(await ask("infra.test")).toBe("infra");
  await waitFor("the reason", async () => /NotAllowed/.test(await world.gatehouse().statusText()));
}, 30_000);
