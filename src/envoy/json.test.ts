import { expect, test } from "@jest/globals";
import { pack } from "./any.ts";
import { Cluster } from "./generated/envoy/config/cluster/v3/cluster.ts";
import { Listener } from "./generated/envoy/config/listener/v3/listener.ts";
import { Router } from "./generated/envoy/extensions/filters/http/router/v3/router.ts";
import { HttpConnectionManager } from "./generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { Secret } from "./generated/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { Duration } from "./generated/google/protobuf/duration.ts";
import { resourceToJson } from "./json.ts";
import { encodeResource } from "./resource.ts";

test("durations and nested Any messages are printed as protobuf prescribes", () => {
  const manager = pack(HttpConnectionManager, {
    statPrefix: "p",
    streamIdleTimeout: { seconds: 0, nanos: 0 },
    httpFilters: [{ name: "router", typedConfig: pack(Router, { suppressEnvoyHeaders: true }) }],
  });
  const listener = encodeResource(Listener, "l", {
    name: "l",
    listenerFiltersTimeout: { seconds: 1, nanos: 500_000_000 },
    defaultFilterChain: { filters: [{ name: "hcm", typedConfig: manager }] },
  });
  expect(resourceToJson(listener)).toEqual({
    "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
    name: "l",
    listenerFiltersTimeout: "1.5s",
    defaultFilterChain: {
      filters: [
        {
          name: "hcm",
          typedConfig: {
            "@type":
              "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            statPrefix: "p",
            streamIdleTimeout: "0s",
            httpFilters: [
              {
                name: "router",
                typedConfig: {
                  "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                  suppressEnvoyHeaders: true,
                },
              },
            ],
          },
        },
      ],
    },
  });
  expect(Duration.toJSON({ seconds: 1 })).toEqual({ seconds: 1 });
});

test("an Any of a type that is not registered keeps its bytes", () => {
  const cluster = encodeResource(Cluster, "c", {
    name: "c",
    typedExtensionProtocolOptions: {
      x: { typeUrl: "type.googleapis.com/unknown.Message", value: Uint8Array.of(1, 2) },
    },
  });
  expect(resourceToJson(cluster)).toMatchObject({
    typedExtensionProtocolOptions: { x: { "@type": "type.googleapis.com/unknown.Message", value: "AQI=" } },
  });
});

test("no private key is printed", () => {
  const secret = encodeResource(Secret, "s", {
    name: "s",
    tlsCertificate: {
      certificateChain: { inlineString: "PUBLIC" },
      privateKey: { inlineString: "KEY-MATERIAL" },
    },
  });
  const generic = encodeResource(Secret, "g", {
    name: "g",
    genericSecret: { secret: { inlineBytes: Buffer.from("KEY-MATERIAL") } },
  });
  const printed = JSON.stringify([resourceToJson(secret), resourceToJson(generic)]);
  expect(printed).toContain("PUBLIC");
  expect(printed).not.toContain("KEY-MATERIAL");
  expect(printed).not.toContain(Buffer.from("KEY-MATERIAL").toString("base64"));
});
