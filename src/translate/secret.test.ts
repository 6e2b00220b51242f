import { describe, expect, test } from "@jest/globals";
import type { ConfigMap, Secret as SecretObject } from "../api/core.ts";
import { buildClusterSpec, type SecretUse, secretsOf } from "../attach/cluster-spec.ts";
import { authority, webPair } from "../attach/key-pairs.test-support.ts";
import { readCertificates } from "../attach/pem.ts";
import { Secret } from "../envoy/generated/envoy/extensions/transport_sockets/tls/v3/secret.ts";
import { isStapleOf } from "./ocsp-staple.ts";
import { translateSecret } from "./secret.ts";

function secret(data: Record<string, string | Buffer>): SecretObject {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")]);
  return { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, data: Object.fromEntries(encoded) };
}

const bundle: ConfigMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "c" },
  data: { "ca.crt": authority },
};
const certificate: SecretUse = { name: "a/s", use: "certificate", source: "secret", key: "a/s" };
const trust: SecretUse = { name: "configmap/a/c/ca.crt", use: "trust", source: "configmap", key: "a/c" };
const credential: SecretUse = { name: "credential/a/s", use: "credential", source: "secret", key: "a/s" };

function translate(...parameters: Parameters<typeof translateSecret>): Secret | undefined {
  const resource = translateSecret(...parameters);
  return resource && Secret.decode(Buffer.concat(resource.chunks));
}

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

/** Smallest successful OCSP response that names a serial number. */
function staple(serial: string, status = 0): Buffer {
  const body = Buffer.concat([Buffer.from([0x0a, 1, status]), Buffer.from(serial, "hex")]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

const serialNumber = readCertificates(Buffer.from(webPair.certificate)).certificates?.[0]?.serialNumber ?? "";

describe("a certificate", () => {
  const pair = { "tls.crt": webPair.certificate, "tls.key": webPair.key };

  test("carries chain and key", () => {
    const message = translate(certificate, secret(pair));
    expect(message?.name).toBe("a/s");
    expect(text(message?.tlsCertificate?.certificateChain?.inlineBytes)).toBe(webPair.certificate);
    expect(text(message?.tlsCertificate?.privateKey?.inlineBytes)).toBe(webPair.key);
    expect(message?.tlsCertificate?.ocspStaple).toBeUndefined();
  });

  test("carries a staple of its own and no other", () => {
    const stapleIn = (value: Buffer) =>
      translate(certificate, secret({ ...pair, "tls.ocsp-staple": value }))?.tlsCertificate?.ocspStaple?.inlineBytes;
    const own = staple(serialNumber);
    expect(Buffer.from(stapleIn(own) ?? [])).toEqual(own);
    expect(stapleIn(staple("0102030405"))).toBeUndefined();
    expect(stapleIn(staple(serialNumber, 1))).toBeUndefined();
    expect(stapleIn(own.subarray(0, -1))).toBeUndefined();
  });

  test.each([[{}], [{ "tls.crt": webPair.certificate }], [{ "tls.key": webPair.key }]])(
    "is nothing without keys",
    (data) => {
      expect(translate(certificate, secret(data as Record<string, string>))).toBeUndefined();
      expect(translate(certificate, undefined)).toBeUndefined();
    },
  );
});

test("a long staple has its length in several bytes", () => {
  const body = Buffer.concat([Buffer.from([0x0a, 1, 0]), Buffer.from(serialNumber, "hex"), Buffer.alloc(300)]);
  const header = Buffer.from([0x30, 0x82, body.length >> 8, body.length & 0xff]);
  expect(isStapleOf(Buffer.concat([header, body]), serialNumber)).toBe(true);
  expect(isStapleOf(Buffer.from([0x30]), serialNumber)).toBe(false);
  expect(isStapleOf(Buffer.from([0x30, 0x84, 1]), serialNumber)).toBe(false);
});

test("a trust bundle joins all its objects", () => {
  expect(text(translate(trust, bundle)?.validationContext?.trustedCa?.inlineBytes)).toBe(authority);
  const both = translate(trust, bundle, [secret({ "ca.crt": authority }), undefined]);
  const read = readCertificates(Buffer.from(both?.validationContext?.trustedCa?.inlineBytes ?? []));
  expect(read.certificates).toHaveLength(2);
  expect(translate(trust, { ...bundle, data: {} })).toBeUndefined();
});

test("a credential loses the line feed that an editor left", () => {
  const message = translate(credential, secret({ credential: "Bearer x\n" }));
  expect(text(message?.genericSecret?.secret?.inlineBytes)).toBe("Bearer x");
});

test("a Secret used in several ways is several resources", () => {
  const uses = secretsOf(
    buildClusterSpec(
      { kind: "Backend", key: "a/b", group: "gateway.envoyproxy.io" },
      {
        protocol: "http1",
        tls: {
          autoSniFromEndpointHostname: false,
          insecureSkipVerify: false,
          trust: ["secret/a/s", "configmap/a/c"],
          clientCertificate: "a/s",
        },
        credential: { secret: "a/s", header: "Authorization", overwrite: false },
      },
    ),
  );
  expect(uses).toMatchObject([
    { name: "a/s", use: "certificate" },
    { name: "credential/a/s", use: "credential" },
    { use: "trust", source: "configmap", key: "a/c", also: [{ source: "secret", key: "a/s" }] },
  ]);
});
