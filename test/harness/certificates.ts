import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const DEFAULT_DAYS = 30;

/** A certificate (leaf first, when there are several) and its private key, in PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface LeafOptions {
  readonly dnsNames: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly uris?: readonly string[];
  readonly emails?: readonly string[];
  /** As OpenSSL writes them: `1.2.3.4;UTF8:value`. */
  readonly otherNames?: readonly string[];
  /** Default: the first DNS name. */
  readonly commonName?: string;
  readonly days?: number;
  /** Default: both. */
  readonly usage?: "serverAuth" | "clientAuth";
  /** Default `ec` (P-256). */
  readonly keyType?: "ec" | "rsa";
}

export interface Authority extends KeyPair {
  issue(options: LeafOptions): KeyPair;
  /** An authority by the grace of this one. */
  intermediate(commonName: string): Authority;
  /** The list of what this authority revoked, in PEM. */
  revoke(...leaves: readonly KeyPair[]): string;
}

const authorityExtensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];

/**
 * A certificate authority for tests. Node can read certificates but not issue them, so this runs the `openssl` command,
 * which every machine that builds Envoy tooling has.
 */
export function createAuthority(commonName = "test authority"): Authority {
  const own = inFolder((folder) => {
    const [certificate, key] = [join(folder, "ca.crt"), join(folder, "ca.key")];
    const config = writeConfig(folder, [...authorityExtensions, "subjectKeyIdentifier=hash"]);
    openssl(
      "req",
      "-x509",
      ...newKey("ec"),
      "-keyout",
      key,
      "-out",
      certificate,
      "-days",
      String(DEFAULT_DAYS),
      "-subj",
      subject(commonName),
      "-config",
      config,
      "-extensions",
      "extensions",
    );
    return { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
  });
  return authorityOf(own);
}

function authorityOf(own: KeyPair): Authority {
  return {
    ...own,
    issue(options) {
      const { emails = [], otherNames = [] } = options;
      const names = [
        ...options.dnsNames.map((name) => `DNS:${name}`),
        ...(options.ipAddresses ?? []).map((address) => `IP:${address}`),
        ...(options.uris ?? []).map((uri) => `URI:${uri}`),
        ...emails.map((email) => `email:${email}`),
        ...otherNames.map((name) => `otherName:${name}`),
      ];
      return sign(own, options, [
        "basicConstraints=CA:FALSE",
        `extendedKeyUsage=${options.usage ?? "serverAuth,clientAuth"}`,
        ...(names.length > 0 ? [`subjectAltName=${names.join(",")}`] : []),
      ]);
    },
    intermediate: (commonName) => authorityOf(sign(own, { dnsNames: [], commonName }, authorityExtensions)),
    revoke: (...leaves) => revoke(own, leaves),
  };
}

function revoke(authority: KeyPair, leaves: readonly KeyPair[]): string {
  return inFolder((folder) => {
    const path = (name: string) => join(folder, name);
    writeFileSync(path("ca.crt"), authority.certificate);
    writeFileSync(path("ca.key"), authority.key);
    writeFileSync(path("index.txt"), "");
    writeFileSync(path("crlnumber"), "01\n");
    const config = path("revoke.cnf");
    const lines = [
      "[ca]",
      "default_ca=own",
      "[own]",
      `database=${path("index.txt")}`,
      `crlnumber=${path("crlnumber")}`,
    ];
    const settings = ["default_md=sha256", `default_crl_days=${DEFAULT_DAYS}`, ""];
    writeFileSync(config, [...lines, ...settings].join("\n"));
    const ca = ["ca", "-config", config, "-cert", path("ca.crt"), "-keyfile", path("ca.key")];
    for (const { certificate } of leaves) {
      writeFileSync(path("leaf.crt"), certificate);
      openssl(...ca, "-revoke", path("leaf.crt"));
    }
    openssl(...ca, "-gencrl", "-out", path("list.crl"));
    return readFileSync(path("list.crl"), "utf8");
  });
}

function sign(authority: KeyPair, options: LeafOptions, extensions: readonly string[]): KeyPair {
  return inFolder((folder) => {
    const path = (name: string) => join(folder, name);
    writeFileSync(path("ca.crt"), authority.certificate);
    writeFileSync(path("ca.key"), authority.key);
    const config = writeConfig(folder, extensions);
    const name = options.commonName ?? options.dnsNames[0] ?? "leaf";
    openssl(
      "req",
      "-new",
      ...newKey(options.keyType ?? "ec"),
      "-keyout",
      path("leaf.key"),
      "-out",
      path("leaf.csr"),
      "-subj",
      subject(name),
      "-config",
      config,
    );
    openssl(
      "x509",
      "-req",
      "-in",
      path("leaf.csr"),
      "-CA",
      path("ca.crt"),
      "-CAkey",
      path("ca.key"),
      "-CAcreateserial",
      "-days",
      String(options.days ?? DEFAULT_DAYS),
      "-extfile",
      config,
      "-extensions",
      "extensions",
      "-out",
      path("leaf.crt"),
    );
    return { certificate: readFileSync(path("leaf.crt"), "utf8"), key: readFileSync(path("leaf.key"), "utf8") };
  });
}

function writeConfig(folder: string, extensions: readonly string[]): string {
  const path = join(folder, "openssl.cnf");
  writeFileSync(path, ["[req]", "distinguished_name=name", "[name]", "[extensions]", ...extensions, ""].join("\n"));
  return path;
}

function newKey(type: "ec" | "rsa"): string[] {
  const algorithm = type === "ec" ? ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] : ["-newkey", "rsa:2048"];
  return [...algorithm, "-nodes", "-sha256"];
}

function subject(commonName: string): string {
  return `/CN=${commonName.replaceAll("/", "\\/")}`;
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-certificates-"));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}
