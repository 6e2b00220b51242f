import { expect, test } from "@jest/globals";
import { authority, ed25519Pair, revocations, webPair } from "../attach/key-pairs.test-support.ts";
import type { ResourceChange } from "../envoy/resource.ts";
import { type Batch, createPipeline } from "./pipeline.ts";

/** What changes of HTTPS listeners cost: work and resources, of 50 listeners on one port. */
const settings = { controllerNames: ["example.com/c"], hostInfrastructure: true, privilegedPortOffset: 0 };

const LISTENERS = 50;

const api = "gateway.networking.k8s.io/v1";
const gatewayClass = {
  apiVersion: api,
  kind: "GatewayClass",
  metadata: { name: "c" },
  spec: { controllerName: "example.com/c" },
};
const authorities = (pem: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "ca", namespace: "default" },
  data: { "ca.crt": pem },
});
const secret = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "web", namespace: "default" },
  type: "kubernetes.io/tls",
  stringData: { "tls.crt": webPair.certificate, "tls.key": webPair.key },
};
const gateway = (hostnames: readonly string[]) => ({
  apiVersion: api,
  kind: "Gateway",
  metadata: { name: "web", namespace: "default" },
  spec: {
    gatewayClassName: "c",
    tls: {
      frontend: { default: { validation: { caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "ca" }] } } },
    },
    listeners: hostnames.map((hostname) => ({
      name: hostname.replace("*", "any").replaceAll(".", "-"),
      protocol: "HTTPS",
      port: 8443,
      ...(hostname !== "*" && { hostname }),
      tls: { certificateRefs: [{ name: "web" }] },
    })),
  },
});

function load(hostnames: readonly string[]) {
  let published: ResourceChange[] = [];
  const pipeline = createPipeline(settings, {
    xds(changes) {
      published.push(...changes);
    },
    statuses() {},
    infrastructure() {},
  });
  const edit = (objects: Partial<Record<keyof Batch, object>>) => {
    const batch = Object.entries(objects).map(([collection, object]) => {
      const { namespace, name } = (object as { metadata: { namespace?: string; name: string } }).metadata;
      return [collection, new Map([[namespace === undefined ? name : `${namespace}/${name}`, object]])];
    });
    pipeline.stage(Object.fromEntries(batch) as Batch);
    const runs = Object.fromEntries(pipeline.commitNow().runs);
    // What was published of Listeners is put down for when an Envoy says that it has it.
    pipeline.commitNow();
    const sent = published.map(({ type, name }) => `${type.slice(type.lastIndexOf(".") + 1)} ${name}`).sort();
    published = [];
    return { runs, sent };
  };
  pipeline.stage({} as Batch);
  pipeline.markSynced();
  edit({
    gatewayClasses: gatewayClass,
    gateways: gateway(hostnames),
    secrets: secret,
    configMaps: authorities(authority),
  });
  return { edit, stop: () => pipeline.stop(), failures: pipeline.failures };
}

const policy = (tls: object, listener?: string) => ({
  apiVersion: "gateway.envoyproxy.io/v1alpha1",
  kind: "ClientTrafficPolicy",
  metadata: { name: "clients", namespace: "default" },
  spec: {
    targetRefs: [
      {
        group: "gateway.networking.k8s.io",
        kind: "Gateway",
        name: "web",
        ...(listener !== undefined && { sectionName: listener }),
      },
    ],
    tls,
  },
});
const validation = (beside: object = {}) => ({
  clientValidation: {
    caCertificateRefs: [{ kind: "ConfigMap", name: "own" }],
    crl: { refs: [{ kind: "Secret", name: "list" }] },
    ...beside,
  },
});
const own = (pem: string) => ({ ...authorities(pem), metadata: { name: "own", namespace: "default" } });
const list = (pem: string) => ({
  ...{ apiVersion: "v1", kind: "Secret", type: "Opaque", metadata: { name: "list", namespace: "default" } },
  stringData: { "ca.crl": pem },
});

const numbered = Array.from({ length: LISTENERS }, (_, index) => `host-${index}.example.com`);

test("authorities of clients are one secret: an edit of theirs touches no Listener", () => {
  const { edit, stop } = load(numbered);
  const { runs, sent } = edit({ configMaps: authorities(authority + ed25519Pair.certificate) });
  expect(runs).toEqual({ listenerCertificates: 1, secretResources: 1 });
  expect(sent).toEqual(["Secret configmap/default/ca/ca.crt"]);
  stop();
});

test("so they are, and what they revoked, where a ClientTrafficPolicy names them for all listeners", () => {
  const { edit, stop } = load(numbered);
  edit({ clientTrafficPolicies: policy(validation()), configMaps: own(authority), secrets: list(revocations) });
  const ca = edit({ configMaps: own(authority + ed25519Pair.certificate) });
  expect(ca.runs).toEqual({ clientTraffic: 1, secretResources: 1 });
  expect(ca.sent).toEqual([expect.stringMatching(/^Secret trust\/[0-9a-f]+$/)]);
  const crl = edit({ secrets: list(revocations + revocations) });
  expect(crl.runs).toEqual({ clientTraffic: 1, secretResources: 1 });
  expect(crl.sent).toEqual(ca.sent);
  // What is no secret is part of the Listener, one for all of them; each has its own part.
  const { runs, sent } = edit({ clientTrafficPolicies: policy(validation({ mode: "VerifyIfGiven" })) });
  expect(sent).toEqual(["Listener default/web/host-0-example-com"]);
  expect(runs).toMatchObject({ listenerTls: LISTENERS, httpsParts: LISTENERS, listeners: 1 });
  stop();
});

test("the policy of one listener costs its own part of the port", () => {
  const { edit, stop } = load(numbered);
  const tls = (minVersion: string) => policy({ minVersion }, "host-7-example-com");
  edit({ clientTrafficPolicies: tls("1.2") });
  const { runs, sent } = edit({ clientTrafficPolicies: tls("1.3") });
  expect(runs).toEqual({
    headsOfClientTrafficPolicy: 1,
    clientTraffic: 1,
    policyReports: 1,
    listenerTls: 1,
    httpsParts: 1,
    clientPorts: 1,
    streamRefusals: 1,
    partsByPort: 1,
    listeners: 1,
    listenerSecretUses: 1,
    listenerShares: 1,
    listenerRefusals: 1,
    takenShares: 1,
    gatewayReports: 1,
  });
  expect(sent).toEqual(["Listener default/web/host-0-example-com"]);
  stop();
});

test("beside a listener for every host, one more changes the tables of that one and of none other", () => {
  const { edit, stop } = load([...numbered, "*"]);
  const { sent } = edit({ gateways: gateway([...numbered, "*", "new.example.com"]) });
  expect(sent).toEqual([
    "Listener default/web/host-0-example-com",
    "RouteConfiguration default/web/any",
    "RouteConfiguration default/web/new-example-com",
  ]);
  stop();
});
