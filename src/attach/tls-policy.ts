import type { BackendTls } from "../api/backend.ts";
import type { BackendTLSPolicy } from "../api/gateway-api.ts";
import { type Problem, problemAt } from "../base/problems.ts";
import { followAuthorities, type TlsReader } from "./authorities.ts";
import { findTlsSettingsFault, tlsChoices } from "./backend-tls.ts";
import type { UpstreamTls } from "./model.ts";

/** What a BackendTLSPolicy comes to by itself, whatever it targets. */
export interface TlsPolicyPlan {
  /** Undefined: it cannot be done, and requests to what it targets are answered with an error. */
  readonly tls?: UpstreamTls;
  readonly problems: readonly Problem[];
}

/**
 * Judges the settings of a policy and follows its references (Gateway API, BackendTLSPolicyValidation). While one reference is
 * good the others are left out: fewer authorities are trusted, never more.
 */
export function planTlsPolicy({ metadata, spec }: BackendTLSPolicy, read: TlsReader): TlsPolicyPlan {
  const { hostname, subjectAltNames = [] } = spec.validation;
  const trust = planTrust(spec.validation, metadata.namespace ?? "", read);
  const options = planOptions(spec.options ?? {});
  const problems = [...trust.problems, ...options.problems];
  if (trust.trust === undefined || options.problems.length > 0) return { problems };
  const names = subjectAltNames.map(({ type, hostname: name = "", uri = "" }) =>
    type === "URI" ? ({ type: "URI", value: uri } as const) : ({ type: "DNS", value: name.toLowerCase() } as const),
  );
  const tls: UpstreamTls = {
    sni: hostname.toLowerCase(),
    ...(names.length > 0 && { subjectAltNames: names }),
    autoSniFromEndpointHostname: false,
    insecureSkipVerify: false,
    trust: trust.trust,
    ...options.choices,
  };
  return { tls, problems };
}

interface TrustPlan {
  readonly trust?: UpstreamTls["trust"];
  readonly problems: readonly Problem[];
}

function planTrust(
  { caCertificateRefs = [], wellKnownCACertificates }: BackendTLSPolicy["spec"]["validation"],
  namespace: string,
  read: TlsReader,
): TrustPlan {
  if (caCertificateRefs.length === 0) {
    if (wellKnownCACertificates === "System") return { trust: "System", problems: [] };
    const text =
      wellKnownCACertificates === undefined || wellKnownCACertificates === ""
        ? "names no authorities to trust; set caCertificateRefs or wellKnownCACertificates"
        : `names the authorities ${wellKnownCACertificates}, and only System is known; write that, or set caCertificateRefs`;
    return { problems: [problemAt("Accepted", "Invalid", "spec.validation", text)] };
  }
  const trust: string[] = [];
  const problems: Problem[] = [];
  for (const [index, reference] of caCertificateRefs.entries()) {
    const authority = followAuthorities(reference, namespace, read);
    if (typeof authority === "string") trust.push(authority);
    else {
      const field = `spec.validation.caCertificateRefs[${index}]`;
      problems.push(problemAt("ResolvedRefs", authority.reason, field, authority.message));
    }
  }
  if (trust.length > 0) return { trust, problems };
  const text = "leads to no authority, so requests to the targets are answered with 500; correct a reference";
  return {
    problems: [...problems, problemAt("Accepted", "NoValidCACertificate", "spec.validation.caCertificateRefs", text)],
  };
}

/** Prefix of our own `options`. */
export const OPTION_PREFIX = "gatehouse.dev/";

/** Options by their name without prefix, and the field of `spec.tls` of a Backend whose meaning they have. Lists are joined by commas. */
const optionFields = {
  "min-version": { field: "minVersion", list: false },
  "max-version": { field: "maxVersion", list: false },
  ciphers: { field: "ciphers", list: true },
  "ecdh-curves": { field: "ecdhCurves", list: true },
  "signature-algorithms": { field: "signatureAlgorithms", list: true },
  "alpn-protocols": { field: "alpnProtocols", list: true },
} as const;

type OptionName = keyof typeof optionFields;
const optionNames = Object.keys(optionFields) as readonly OptionName[];
const versions = ["Auto", "1.0", "1.1", "1.2", "1.3"];

/** An option that is not known is refused: nobody should take for granted what is not done. */
function planOptions(options: Readonly<Record<string, string>>): {
  readonly choices: Partial<UpstreamTls>;
  readonly problems: readonly Problem[];
} {
  const report = (key: string, text: string) => problemAt("Accepted", "Invalid", `spec.options["${key}"]`, text);
  const known = optionNames.map((name) => `${OPTION_PREFIX}${name}`);
  const unknown = Object.keys(options).filter((key) => !known.includes(key));
  const problems = unknown.map((key) =>
    report(key, `is an option that Gatehouse does not know; remove it, or use ${known.join(", ")}`),
  );
  const settings: Record<string, unknown> = {};
  for (const name of optionNames) {
    const key = `${OPTION_PREFIX}${name}`;
    const value = options[key]?.trim();
    if (value === undefined) continue;
    const { field, list } = optionFields[name];
    if (!list && !versions.includes(value)) {
      problems.push(report(key, `is "${value}", which is no version of TLS; use ${versions.join(", ")}`));
    } else settings[field] = list ? value.split(",").map((word) => word.trim()) : value;
  }
  const tls = settings as BackendTls;
  const fault = findTlsSettingsFault(tls);
  if (fault !== undefined) problems.push(report(keyOf(fault.field), fault.message));
  return { choices: tlsChoices(tls), problems };
}

/** The option that a fault of `spec.tls.<field>` or `spec.tls.<field>[i]` comes from. */
function keyOf(faulty: string): string {
  const name = optionNames.find((option) => faulty.startsWith(`spec.tls.${optionFields[option].field}`));
  return `${OPTION_PREFIX}${name ?? faulty}`;
}
