import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority, type KeyPair } from "../harness/certificates.ts";
import { waitFor } from "../harness/waiting.ts";
import { createTlsWorld, hostOfCase, type TlsCase, type TlsPlace, type TlsWorld } from "./client-tls-world.ts";
import { toYaml } from "./traffic-world.ts";

/** Which clients ClientTrafficPolicies serve, by real certificates: each case is a listener of its own on one port. */

const root = createAuthority("clients");
const between = root.intermediate("clients between");
const stranger = createAuthority("strangers").issue({ dnsNames: ["client.test"] });
const issue = (options: Partial<Parameters<typeof root.issue>[0]> = {}) =>
  root.issue({ dnsNames: ["client.test"], usage: "clientAuth", ...options });
const [good, revoked] = [issue(), issue()];
const expired = issue({ days: -1 });
const underBetween = (pair: KeyPair) => ({ ...pair, certificate: pair.certificate + between.certificate });
const ofBetween = () => underBetween(between.issue({ dnsNames: ["client.test"], usage: "clientAuth" }));
const [goodBetween, revokedBetween] = [ofBetween(), ofBetween()];

const der = (pem: string) => new X509Certificate(pem);
const certificateHash = (pem: string) => der(pem).fingerprint256;
const keyHash = (pem: string) =>
  createHash("sha256")
    .update(createPublicKey(pem).export({ type: "spki", format: "der" }))
    .digest("base64");

const configMap = (name: string, key: string, content: string, namespace = "default") => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace },
  data: { [key]: content },
});
const reference = (name: string) => ({ kind: "ConfigMap", name });
const caCertificateRefs = [reference("clients")];
const required = (beside: object = {}) => ({ clientValidation: { caCertificateRefs, ...beside } });
const mode = (name: string, beside: object = { caCertificateRefs }) => ({
  clientValidation: { mode: name, ...beside },
});
const revocations = (names: readonly string[], beside: object = {}) =>
  required({ crl: { refs: names.map(reference), ...beside } });

/** A right one, one of another authority, and none. */
const three = async ({ askAs }: TlsPlace) => [await askAs(good), await askAs(stranger), await askAs(undefined)];

/** A case of names: the certificate has one of them, or all but one that would do. */
function named(name: string, subjectAltNames: object, right: Partial<Parameters<typeof root.issue>[0]>): TlsCase {
  const [fits, fitsNot] = [issue(right), good];
  return {
    name: `clientValidation.subjectAltNames.${name}`,
    tls: required({ subjectAltNames }),
    check: async ({ askAs }) => expect([await askAs(fits), await askAs(fitsNot)]).toEqual([200, "refused"]),
  };
}

const cases: readonly TlsCase[] = [
  {
    name: "clientValidation: a certificate of an authority by default",
    tls: required(),
    check: async (place) => {
      expect(await three(place)).toEqual([200, "refused", "refused"]);
      expect(await place.askAs(expired)).toBe("refused");
    },
  },
  {
    name: "clientValidation.optional",
    tls: required({ optional: true }),
    check: async (place) => expect(await three(place)).toEqual([200, "refused", 200]),
  },
  {
    name: "clientValidation.mode: VerifyIfGiven",
    tls: mode("VerifyIfGiven"),
    check: async (place) => expect(await three(place)).toEqual([200, "refused", 200]),
  },
  {
    name: "clientValidation.mode: Request",
    tls: mode("Request", {}),
    beside: { headers: { xForwardedClientCert: { mode: "SanitizeSet" } } },
    check: async (place) => {
      expect(await three(place)).toEqual([200, 200, 200]);
      expect(await place.ask({ cert: stranger.certificate, key: stranger.key })).toMatchObject({
        headers: { "x-peer": certificateHash(stranger.certificate).replaceAll(":", "").toLowerCase() },
      });
    },
  },
  {
    name: "clientValidation.mode: RequireAny",
    tls: mode("RequireAny"),
    check: async (place) => expect(await three(place)).toEqual([200, 200, "refused"]),
  },
  {
    name: "clientValidation.allowExpiredCertificate",
    tls: required({ allowExpiredCertificate: true }),
    check: async ({ askAs }) => {
      expect([await askAs(expired), await askAs(stranger)]).toEqual([200, "refused"]);
    },
  },
  {
    name: "clientValidation.certificateHashes, without authorities",
    tls: { clientValidation: { certificateHashes: [certificateHash(stranger.certificate)] } },
    check: async (place) => expect(await three(place)).toEqual(["refused", 200, "refused"]),
  },
  {
    name: "clientValidation.certificateHashes, of an authority",
    tls: required({ certificateHashes: [certificateHash(good.certificate), certificateHash(stranger.certificate)] }),
    check: async (place) => {
      expect(await three(place)).toEqual([200, "refused", "refused"]);
      expect(await place.askAs(revoked)).toBe("refused");
    },
  },
  {
    name: "clientValidation.spkiHashes",
    tls: required({ spkiHashes: [keyHash(good.certificate)] }),
    check: async ({ askAs }) => expect([await askAs(good), await askAs(revoked)]).toEqual([200, "refused"]),
  },
  {
    name: "clientValidation.crl",
    tls: revocations(["list", "list-between"]),
    check: async ({ askAs }) => {
      expect([await askAs(good), await askAs(goodBetween)]).toEqual([200, 200]);
      expect([await askAs(revoked), await askAs(revokedBetween)]).toEqual(["refused", "refused"]);
    },
  },
  {
    name: "clientValidation.crl: a list of every authority of the chain is needed",
    tls: revocations(["list-between"]),
    check: async ({ askAs }) => expect(await askAs(goodBetween)).toBe("refused"),
  },
  {
    name: "clientValidation.crl.onlyVerifyLeafCertificate: a list of the last one is enough",
    tls: revocations(["list-between"], { onlyVerifyLeafCertificate: true }),
    check: async ({ askAs }) => {
      expect([await askAs(goodBetween), await askAs(revokedBetween)]).toEqual([200, "refused"]);
    },
  },
  named(
    "dnsNames",
    { dnsNames: [{ value: "other.test" }, { type: "Suffix", value: ".right.test" }] },
    {
      dnsNames: ["a.right.test"],
    },
  ),
  named("emailAddresses", { emailAddresses: [{ type: "Suffix", value: "@right.test" }] }, { emails: ["a@right.test"] }),
  named("ipAddresses", { ipAddresses: [{ value: "192.0.2.1" }] }, { ipAddresses: ["192.0.2.1"] }),
  named("uris", { uris: [{ type: "Prefix", value: "spiffe://right/" }] }, { uris: ["spiffe://right/a"] }),
  named(
    "otherNames",
    { otherNames: [{ oid: "1.3.6.1.4.1.311.20.2.3", value: "a@right.test" }] },
    {
      otherNames: ["1.3.6.1.4.1.311.20.2.3;UTF8:a@right.test"],
    },
  ),
  named(
    "uris or dnsNames",
    { uris: [{ value: "no:uri" }], dnsNames: [{ type: "RegularExpression", value: "b+" }] },
    {
      dnsNames: ["bbb"],
    },
  ),
];

let tls: TlsWorld;

function write(name: string, ...objects: readonly object[]): void {
  tls.world.files.writeAtomically(`${name}.yaml`, toYaml(objects));
}

const objects = [
  configMap("clients", "ca.crt", root.certificate),
  configMap("list-between", "ca.crl", between.revoke(revokedBetween)),
];
const list = configMap("list", "ca.crl", root.revoke(revoked));

beforeAll(async () => {
  tls = await createTlsWorld(cases, objects);
  write("list", list);
  const last = tls.place(hostOfCase(cases.length - 1));
  const crl = tls.place(hostOfCase(9));
  await waitFor("the last case to be served", async () => (await last.askAs(issue({ dnsNames: ["bbb"] }))) === 200);
  await waitFor("lists", async () => (await crl.askAs(good)) === 200);
}, 60_000);

afterAll(() => tls?.world.stop(), 30_000);

test.each(cases.map(({ name, check }, index) => ({ name, check, index })))("$name", ({ check, index }) =>
  check(tls.place(hostOfCase(index))),
);
