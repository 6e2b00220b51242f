import { choice, flag, list, object, required, text } from "./schema.ts";
import { secretReference, stringMatch } from "./shared-schemas.ts";
import { tlsFields, tlsRules } from "./tls-settings.ts";

const names = (what: string) => list(what, stringMatch("A match."));

const clientValidation = object(
  "Whether clients must show a certificate, and which.",
  {
    mode: choice(
      "Request and RequireAny take any certificate, VerifyIfGiven and RequireAndVerify only those of the authorities; RequireAndVerify when left out.",
      ["Request", "RequireAny", "VerifyIfGiven", "RequireAndVerify"],
    ),
    optional: flag("Not used any more: write mode. True is VerifyIfGiven."),
    caCertificateRefs: list(
      "Secrets or ConfigMaps whose ca.crt holds the authorities that may sign certificates.",
      secretReference("An object that holds authorities."),
      { maxItems: 8 },
    ),
    allowExpiredCertificate: flag("Accept certificates that have expired."),
    spkiHashes: list("SHA-256 of public keys, in base64, of which the certificate must have one.", text("A hash.")),
    certificateHashes: list("SHA-256 of certificates, in hex, one of which it must be.", text("A hash.")),
    subjectAltNames: object("Names of which the certificate must have one.", {
      dnsNames: names("Matches of DNS names."),
      emailAddresses: names("Matches of e-mail addresses."),
      ipAddresses: names("Matches of IP addresses."),
      uris: names("Matches of URIs."),
      otherNames: list(
        "Matches of names of other kinds.",
        object("A match.", {
          oid: required(text("Object identifier of the kind.")),
          type: choice("How to compare.", ["Exact", "Prefix", "Suffix", "RegularExpression"], { default: "Exact" }),
          value: required(
            text("Text to compare with; an RE2 expression must match the whole.", { minLength: 1, maxLength: 1024 }),
          ),
        }),
      ),
    }),
    crl: object("Certificates that were revoked.", {
      refs: required(
        list("Secrets or ConfigMaps whose ca.crl holds a list.", secretReference("An object that holds a list."), {
          minItems: 1,
          maxItems: 8,
        }),
      ),
      onlyVerifyLeafCertificate: flag("Look the client's certificate up only, not those of its authorities."),
    }),
  },
  {
    rules: [
      {
        rule: "!has(self.allowExpiredCertificate) || !self.allowExpiredCertificate || !has(self.mode) || self.mode in ['VerifyIfGiven', 'RequireAndVerify']",
        message: "allowExpiredCertificate is for the modes VerifyIfGiven and RequireAndVerify",
      },
    ],
  },
);

export const clientTls = object(
  "TLS with clients.",
  {
    ...tlsFields,
    clientValidation,
    session: object("TLS sessions.", {
      resumption: object("How clients resume sessions; not at all when left out.", {
        stateless: object("By tickets that clients keep.", {}),
        stateful: object("By what Envoy remembers.", {}),
      }),
    }),
  },
  { rules: tlsRules },
);
