import { constants } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { cipherSuites, ecdhCurves, signatureAlgorithms } from "../../src/attach/tls-vocabulary.ts";
import { waitFor } from "../harness/waiting.ts";
import { createTlsWorld, hostOfCase, type TlsCase, type TlsPlace, type TlsWorld } from "./client-tls-world.ts";

/**
 * What ClientTrafficPolicies say of TLS, by real handshakes: each case is a listener of its own, told apart from the others of the port
 * by server name, and what is seen would be otherwise without the policy.
 */

const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
const only12 = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
const only13 = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const;

/** Whether a second connection takes up the session of a first one. */
async function resumes({ ask }: TlsPlace, options: Parameters<TlsPlace["ask"]>[0]): Promise<boolean> {
  const first = await ask(options);
  if (first === "refused") throw new Error("the first connection was refused");
  if (first.session === undefined) return false;
  const second = await ask({ ...options, session: first.session });
  return second !== "refused" && second.resumed;
}

/** TLS 1.2 of clients that take tickets, and that take none, and TLS 1.3, where there is nothing else. */
async function resumptions(place: TlsPlace) {
  return {
    tickets: await resumes(place, only12),
    remembered: await resumes(place, { ...only12, secureOptions: constants.SSL_OP_NO_TICKET }),
    tls13: await resumes(place, only13),
  };
}

const cases: readonly TlsCase[] = [
  {
    name: "minVersion",
    tls: { minVersion: "1.3" },
    check: async ({ ask }) => {
      expect(await ask(only12)).toBe("refused");
      expect(await ask()).toMatchObject({ status: 200, version: "TLSv1.3" });
    },
  },
  {
    name: "maxVersion",
    tls: { maxVersion: "1.2" },
    check: async ({ ask }) => {
      expect(await ask(only13)).toBe("refused");
      expect(await ask()).toMatchObject({ status: 200, version: "TLSv1.2" });
    },
  },
  {
    name: "minVersion of old clients, with a suite of theirs",
    tls: { minVersion: "1.0", ciphers: ["ECDHE-ECDSA-AES128-SHA"] },
    check: async ({ ask }) => expect(await ask(old)).toMatchObject({ status: 200, version: "TLSv1.1" }),
  },
  {
    name: "ciphers",
    tls: { ciphers: ["ECDHE-ECDSA-AES256-GCM-SHA384"] },
    check: async ({ ask }) => {
      expect(await ask({ ...only12, ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" })).toBe("refused");
      expect(await ask(only12)).toMatchObject({ status: 200, cipher: "ECDHE-ECDSA-AES256-GCM-SHA384" });
    },
  },
  {
    name: "ecdhCurves",
    tls: { ecdhCurves: ["P-384"] },
    check: async ({ ask }) => {
      expect(await ask({ ecdhCurve: "X25519:P-256" })).toBe("refused");
      expect(await ask({ ecdhCurve: "P-384" })).toMatchObject({ status: 200 });
    },
  },
  {
    name: "signatureAlgorithms",
    certificate: "rsa",
    tls: { signatureAlgorithms: ["rsa_pss_rsae_sha512"] },
    check: async ({ ask }) => {
      expect(await ask({ sigalgs: "rsa_pss_rsae_sha256" })).toBe("refused");
      expect(await ask({ sigalgs: "rsa_pss_rsae_sha512" })).toMatchObject({ status: 200 });
    },
  },
  {
    name: "alpnProtocols",
    tls: { alpnProtocols: ["http/1.1"] },
    check: async ({ ask }) => {
      expect(await ask({ ALPNProtocols: ["h2", "http/1.1"] })).toMatchObject({ status: 200, alpn: "http/1.1" });
    },
  },
  {
    name: "alpnProtocols: none",
    tls: { alpnProtocols: [] },
    check: async ({ ask }) => {
      expect(await ask({ ALPNProtocols: ["h2", "http/1.1"] })).toMatchObject({ status: 200, alpn: false });
    },
  },
  {
    name: "session: none when left out",
    tls: {},
    check: async (place) => {
      expect(await resumptions(place)).toEqual({ tickets: false, remembered: false, tls13: false });
    },
  },
  {
    name: "session.resumption.stateless",
    tls: { session: { resumption: { stateless: {} } } },
    check: async (place) => {
      expect(await resumptions(place)).toEqual({ tickets: true, remembered: false, tls13: true });
    },
  },
  {
    name: "session.resumption.stateful",
    tls: { session: { resumption: { stateful: {} } } },
    check: async (place) => {
      expect(await resumptions(place)).toEqual({ tickets: true, remembered: true, tls13: false });
    },
  },
  {
    name: "every word that passes is one that Envoy takes",
    tls: {
      ciphers: [...cipherSuites, "[ECDHE-ECDSA-AES128-SHA|ECDHE-RSA-AES128-SHA]"],
      // Each by one of its names.
      ecdhCurves: [...ecdhCurves].filter((name) => !/^(x25519|prime|secp)/.test(name)),
      signatureAlgorithms: [...signatureAlgorithms],
    },
    check: async ({ ask }) => expect(await ask()).toMatchObject({ status: 200 }),
  },
  {
    name: "fingerprints",
    tls: { fingerprints: ["JA4", "JA3"] },
    check: async ({ ask }) => {
      const { headers } = (await ask()) as Exclude<Awaited<ReturnType<TlsPlace["ask"]>>, "refused">;
      expect(headers).toMatchObject({
        "x-ja3": expect.stringMatching(/^[0-9a-f]{32}$/),
        "x-ja4": expect.stringMatching(/^t13d[0-9a-z]{6}_[0-9a-f]{12}_[0-9a-f]{12}$/),
      });
    },
  },
];

let tls: TlsWorld;

beforeAll(async () => {
  tls = await createTlsWorld(cases);
  const last = tls.place(hostOfCase(cases.length - 1));
  await waitFor("the last case to be served", async () => (await last.askAs(undefined)) === 200);
}, 60_000);

afterAll(() => tls?.world.stop(), 30_000);

test.each(cases.map(({ name, check }, index) => ({ name, check, index })))("$name", ({ check, index }) =>
  check(tls.place(hostOfCase(index))),
);

test("beside all of them a listener without a policy is as ever", async () => {
  const usual = tls.place("usual.tls.test");
  expect(await usual.ask(old)).toBe("refused");
  expect(await usual.ask({ ALPNProtocols: ["http/1.1"] })).toMatchObject({ status: 200, alpn: "http/1.1" });
  expect(await resumptions(usual)).toEqual({ tickets: true, remembered: true, tls13: true });
});
