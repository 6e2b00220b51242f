import { choice, list, type Rule, text } from "./schema.ts";

const tlsVersions = ["Auto", "1.0", "1.1", "1.2", "1.3"] as const;

/** Ranks for comparing a lower with an upper bound; `Auto` and an absent lower bound mean the library's own defaults. */
const lowerRank = "{'Auto': 0, '1.0': 1, '1.1': 2, '1.2': 3, '1.3': 4}";
const upperRank = "{'1.0': 1, '1.1': 2, '1.2': 3, '1.3': 4, 'Auto': 5}";

/** What two ends of TLS negotiate: the same fields wherever one of our kinds configures TLS. */
export const tlsFields = {
  minVersion: choice("Lowest TLS version.", tlsVersions),
  maxVersion: choice("Highest TLS version.", tlsVersions),
  ciphers: list("Cipher suites of TLS up to 1.2, in Envoy's spelling.", text("A cipher suite.")),
  ecdhCurves: list("Curves for the key exchange, most wanted first.", text("A curve.")),
  signatureAlgorithms: list("Signature algorithms, most wanted first.", text("A signature algorithm.")),
  alpnProtocols: list("Protocols to offer by ALPN, most wanted first.", text("A protocol, such as h2.")),
  fingerprints: list("Fingerprints of the TLS client hello to compute.", choice("A fingerprint.", ["JA3", "JA4"])),
} as const;

export const tlsRules: readonly Rule[] = [
  {
    rule: "!(has(self.minVersion) && self.minVersion == '1.3' && has(self.ciphers))",
    message: "ciphers do not apply to TLS 1.3: leave them out or lower minVersion",
  },
  {
    rule: `!has(self.maxVersion) || (has(self.minVersion) ? ${lowerRank}[self.minVersion] : 3) <= ${upperRank}[self.maxVersion]`,
    message: "minVersion (1.2 when left out) must not be above maxVersion",
  },
];
