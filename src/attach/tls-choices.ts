import { cipherSuites, ecdhCurves, isCipher, signatureAlgorithms } from "./tls-vocabulary.ts";

/** What two ends of TLS negotiate, as the kinds of ours say it. */
export interface TlsChoices {
  readonly minVersion?: string;
  readonly maxVersion?: string;
  readonly ciphers?: readonly string[];
  readonly ecdhCurves?: readonly string[];
  readonly signatureAlgorithms?: readonly string[];
  readonly alpnProtocols?: readonly string[];
}

export interface ChoiceFault {
  /** Below `tls`. */
  readonly field: string;
  /** Completes a sentence that begins with the field. */
  readonly text: string;
}

/** Bytes of an ALPN protocol name (RFC 7301 section 3.1). */
const MAX_ALPN_LENGTH_BYTES = 255;
/** What Envoy takes of all of them, each with its length. */
const MAX_ALPN_LIST_BYTES = 65_535;

/** What Envoy would refuse, or could never shake hands by. */
export function* findChoiceFaults(tls: TlsChoices): Generator<ChoiceFault> {
  const alpn = (tls.alpnProtocols ?? []).findIndex(
    (name) => name === "" || Buffer.byteLength(name) > MAX_ALPN_LENGTH_BYTES,
  );
  const alpnBytes = (tls.alpnProtocols ?? []).reduce((sum, name) => sum + 1 + Buffer.byteLength(name), 0);
  if (alpn >= 0) {
    const text = `is empty or has more than ${MAX_ALPN_LENGTH_BYTES} bytes; name a protocol such as h2`;
    yield { field: `alpnProtocols[${alpn}]`, text };
  } else if (alpnBytes > MAX_ALPN_LIST_BYTES) {
    yield { field: "alpnProtocols", text: `takes ${alpnBytes} bytes, more than ${MAX_ALPN_LIST_BYTES}; name fewer` };
  }
  yield* findVersionFault(tls);
  yield* findUnknownWord("ciphers", tls.ciphers, cipherSuites, isCipher);
  yield* findUnknownWord("ecdhCurves", tls.ecdhCurves, ecdhCurves);
  yield* findRepetition(
    "ecdhCurves",
    tls.ecdhCurves?.map((name) => curveAliases[name] ?? name),
  );
  yield* findUnknownWord("signatureAlgorithms", tls.signatureAlgorithms, signatureAlgorithms);
  yield* findRepetition("signatureAlgorithms", tls.signatureAlgorithms);
}

/** Second names of curves. */
const curveAliases: Readonly<Record<string, string>> = {
  x25519: "X25519",
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
};

/** Envoy takes no list with something twice, under whatever name. */
function* findRepetition(field: string, words: readonly string[] = []): Generator<ChoiceFault> {
  const index = words.findIndex((word, position) => words.indexOf(word) < position);
  if (index < 0) return;
  yield { field: `${field}[${index}]`, text: `is ${words[index]}, which stands before already; remove one of them` };
}

const versionOrder = ["1.0", "1.1", "1.2", "1.3"];
/** Envoy's lower bound when none is set. */
const DEFAULT_MIN_VERSION = "1.2";

function* findVersionFault({ minVersion, maxVersion }: TlsChoices): Generator<ChoiceFault> {
  const lower = minVersion === undefined || minVersion === "Auto" ? DEFAULT_MIN_VERSION : minVersion;
  if (maxVersion === undefined || maxVersion === "Auto") return;
  if (versionOrder.indexOf(lower) <= versionOrder.indexOf(maxVersion)) return;
  yield { field: "maxVersion", text: `is ${maxVersion}, below minVersion ${lower}; raise it` };
}

function* findUnknownWord(
  field: string,
  words: readonly string[] | undefined,
  known: ReadonlySet<string>,
  isKnown: (word: string) => boolean = (word) => known.has(word),
): Generator<ChoiceFault> {
  const index = (words ?? []).findIndex((word) => !isKnown(word));
  if (index < 0) return;
  const text = `is "${words?.[index]}", which Envoy does not know; use ${[...known].join(", ")}`;
  yield { field: `${field}[${index}]`, text };
}
