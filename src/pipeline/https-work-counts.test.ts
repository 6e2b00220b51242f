import { expect, test } from "@jest/globals";
import { authority, ed25519Pair, webPair } from "../attach/key-pairs.test-support.ts";
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

const numbered = Array.from({ length: LISTENERS }, (_, index) => `host-${index}.example.com`);

test("authorities of clients are one secret: an edit of theirs touches no Listener", () => {
  const { edit, stop } = load(numbered);
  const { runs, sent } = edit({ configMaps: authorities(authority + ed25519Pair.certificate) });
  expect(runs).toEqual({ listenerCertificates: 1, secretResources: 1 });
  expect(sent).toEqual(["Secret configmap/default/ca/ca.crt"]);
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
