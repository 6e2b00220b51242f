import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createAuthority, type KeyPair } from "../harness/certificates.ts";
import { waitFor } from "../harness/waiting.ts";
import {
  type Agreed,
  createTlsWorld,
  hostOfCase,
  keepOpen,
  streamRoute,
  type TlsCase,
  type TlsPlace,
  type TlsWorld,
  tlsPolicy,
} from "./client-tls-world.ts";
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

function agreedOf(answer: Agreed | "refused"): Agreed {
  if (answer === "refused") throw new Error("refused");
  return answer;
}

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
    check: async (place) => {
      expect(await three(place)).toEqual([200, 200, 200]);
      const { headers } = agreedOf(await place.ask({ cert: stranger.certificate, key: stranger.key }));
      expect(headers["x-peer"]).toBe(certificateHash(stranger.certificate).replaceAll(":", "").toLowerCase());
    },
  },
  {
    name: "clientValidation.mode: RequireAny, of authorities that are known",
    tls: mode("RequireAny"),
    check: async (place) => expect(await three(place)).toEqual([200, 200, "refused"]),
  },
  {
    name: "clientValidation.mode: RequireAny",
    tls: mode("RequireAny", {}),
    check: async (place) => {
      expect(await three(place)).toEqual([200, 200, "refused"]);
    },
  },
  {
    name: "clientValidation.mode: VerifyIfGiven, with a hash, demands a certificate, as the warning says",
    tls: mode("VerifyIfGiven", { caCertificateRefs, certificateHashes: [certificateHash(good.certificate)] }),
    check: async (place) => expect(await three(place)).toEqual([200, "refused", "refused"]),
  },
  {
    name: "clientValidation.mode: VerifyIfGiven, with lists of revoked certificates, does not",
    tls: mode("VerifyIfGiven", { caCertificateRefs, crl: { refs: ["list", "list-between"].map(reference) } }),
    check: async (place) => {
      expect(await three(place)).toEqual([200, "refused", 200]);
      expect(await place.askAs(revoked)).toBe("refused");
    },
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
    tls: { ...revocations(["list", "list-between"]), session: { resumption: { stateless: {} } } },
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

const indexOf = (name: string) => cases.findIndex((each) => each.name === `clientValidation${name}`);
let tls: TlsWorld;
/** Listeners whose policies name lists, names or hashes, and neither of the first two. */
let [crl, uris, hashes]: readonly TlsPlace[] = [];

function write(name: string, ...objects: readonly object[]): void {
  tls.world.files.writeAtomically(`${name}.yaml`, toYaml(objects));
}

const authorities = configMap("clients", "ca.crt", root.certificate);
const listOf = (...leaves: readonly KeyPair[]) => configMap("list", "ca.crl", root.revoke(...leaves));

beforeAll(async () => {
  // A stream's listener cannot tell why it is closed.
  const stream = { name: "stream", hostname: "stream.tls.test", protocol: "TLS" };
  const listener = { ...stream, tls: { mode: "Terminate", certificateRefs: [{ name: "ec" }] } };
  tls = await createTlsWorld(
    cases,
    [
      configMap("list-between", "ca.crl", between.revoke(revokedBetween)),
      tlsPolicy("stream", { tls: { ...required(), minVersion: "1.3" } }),
      streamRoute("stream"),
    ],
    [listener],
  );
  write("authorities", authorities);
  write("list", listOf(revoked));
  const places = [".crl", ".subjectAltNames.uris", ".certificateHashes, without authorities"];
  [crl, uris, hashes] = places.map((name) => tls.place(hostOfCase(indexOf(name))));
  await waitFor("lists", async () => (await crl?.askAs(good)) === 200);
}, 60_000);

afterAll(() => tls?.world.stop(), 30_000);

test.each(cases.map(({ name, check }, index) => ({ name, check, index })))("$name", ({ check, index }) =>
  check(tls.place(hostOfCase(index))),
);

test("a listener of streams has what HTTPS has: versions, and whom to serve", async () => {
  const { askAs } = tls.place("stream.tls.test");
  expect([await askAs(good), await askAs(stranger), await askAs(undefined)]).toEqual([200, "refused", "refused"]);
  expect(await askAs(good, { maxVersion: "TLSv1.2" })).toBe("refused");
});

test("a session is no way around: not to another listener, and not past a list that has grown", async () => {
  const place = crl as TlsPlace;
  const pair = { cert: good.certificate, key: good.key };
  const session = async ({ ask }: TlsPlace, options: object) => {
    const { session } = agreedOf(await ask(options));
    if (session === undefined) throw new Error("no session");
    return session;
  };
  const ofUsual = await session(tls.place("usual.tls.test"), {});
  expect(await place.ask({ session: ofUsual })).toBe("refused");
  const own = await session(place, pair);
  expect(await place.ask({ ...pair, session: own })).toMatchObject({ status: 200, resumed: true });
  const open = await keepOpen(place.host, tls.port, pair);
  write("list", listOf(revoked, good));
  await waitFor("the list", async () => (await place.askAs(good)) === "refused");
  expect(await place.ask({ ...pair, session: own })).toBe("refused");
  // What is open stays: nobody's connections end for a list.
  expect(await open.ask()).toBe(200);
  open.close();
  write("list", listOf(revoked));
  await waitFor("the list of before", async () => (await place.askAs(good)) === 200);
}, 30_000);

test("a list that is gone closes the listeners that ask for it, and no other, until it is back", async () => {
  tls.world.files.remove("list.yaml");
  await waitFor("the end", async () => (await crl?.askAs(good)) === 500);
  expect(await crl?.askAs(revoked)).toBe(500);
  expect(await uris?.askAs(issue({ uris: ["spiffe://right/b"] }))).toBe(200);
  const text = await tls.world.gatehouse().statusText();
  expect(text).toMatch(
    /ClientTrafficPolicy default\/case-\d+: .*spec\.tls\.clientValidation\.crl\.refs\[0\] names ConfigMap default\/list/s,
  );
  write("list", listOf(revoked));
  await waitFor("the list", async () => (await crl?.askAs(good)) === 200);
  expect(await crl?.askAs(revoked)).toBe("refused");
}, 30_000);

test("a list that only Envoy finds damaged is told at the listeners, which go on with the one before", async () => {
  // Beyond what Gatehouse looks at.
  const damaged = root.revoke(revoked).replace(/(X509 CRL-----\n.{64}\n).{20}/, `$1${"A".repeat(20)}`);
  write("list", configMap("list", "ca.crl", damaged));
  const refused = /listeners [a-z0-9, -]+: Programmed=False \(Invalid\): Envoy refused .*ConfigMap default\/list/;
  await waitFor("the status", async () => refused.test(await tls.world.gatehouse().statusText()));
  expect([await crl?.askAs(good), await crl?.askAs(revoked)]).toEqual([200, "refused"]);
  write("list", listOf(revoked));
  await waitFor("the end of it", async () => !refused.test(await tls.world.gatehouse().statusText()));
}, 30_000);

test("authorities that are gone close what asks for them, until they are back", async () => {
  const stream = tls.place("stream.tls.test");
  tls.world.files.remove("authorities.yaml");
  await waitFor("the end", async () => (await crl?.askAs(good)) === 500);
  await waitFor("the end of streams", async () => (await stream.askAs(good)) === "refused");
  expect(await uris?.askAs(undefined)).toBe(500);
  expect(await hashes?.askAs(stranger)).toBe(200);
  expect(await tls.place("usual.tls.test").askAs(undefined)).toBe(200);
  write("authorities", authorities);
  await waitFor("authorities", async () => (await crl?.askAs(good)) === 200);
  await waitFor("streams", async () => (await stream.askAs(good)) === 200);
  expect(await crl?.askAs(stranger)).toBe("refused");
}, 30_000);
