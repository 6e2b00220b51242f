import type { ReplicaNews } from "../../pipeline/replicas.ts";
import type { HostEntries } from "../../pipeline/routes.ts";
import type { Verdict } from "../../pipeline/verdicts.ts";

/** What a replica tells another over one stream: everything first, then what changes. */
export interface PeerMessage extends ReplicaNews {
  /** This is all; what is not in it is not so. */
  readonly complete: boolean;
}

/** Another path for another form of the messages, so that replicas of different versions do not misread each other. */
export const FOLLOW_PATH = "/gatehouse.dev.replicas.v1.Replicas/Follow";

/** One message of a replica with 10,000 Envoys of a few listeners is about 10 MB. */
export const MESSAGE_LIMIT_BYTES = 64 << 20;

type JsonEntries = Omit<HostEntries, "entries"> & {
  readonly entries: readonly (Omit<HostEntries["entries"][number], "bytes"> & { readonly bytes: string })[];
};

export function encodeMessage(message: PeerMessage): Buffer {
  const verdicts = message.verdicts.map((verdict) => ({
    ...verdict,
    replacement: verdict.replacement && entriesToJson(verdict.replacement),
  }));
  return Buffer.from(JSON.stringify({ ...message, verdicts }));
}

/** @throws SyntaxError when it is none; whoever is believed to be a replica is believed in the rest */
export function decodeMessage(bytes: Buffer): PeerMessage {
  const message = JSON.parse(bytes.toString()) as Omit<PeerMessage, "verdicts"> & {
    readonly verdicts: readonly (Omit<Verdict, "replacement"> & { readonly replacement?: JsonEntries })[];
  };
  const verdicts = message.verdicts.map((verdict) => ({
    ...verdict,
    replacement: verdict.replacement && entriesFromJson(verdict.replacement),
  }));
  return { ...message, verdicts };
}

function entriesToJson({ entries, ...rest }: HostEntries): JsonEntries {
  return {
    ...rest,
    entries: entries.map((entry) => ({ ...entry, bytes: Buffer.from(entry.bytes).toString("base64") })),
  };
}

function entriesFromJson({ entries, ...rest }: JsonEntries): HostEntries {
  return {
    ...rest,
    entries: entries.map((entry) => ({ ...entry, bytes: new Uint8Array(Buffer.from(entry.bytes, "base64")) })),
  };
}

/** Two pieces of news as one. */
export function mergeNews(earlier: ReplicaNews, later: ReplicaNews): ReplicaNews {
  const idOf = ({ gateway, node }: { readonly gateway: string; readonly node: string }) => `${gateway} ${node}`;
  const changed = new Set([...later.envoys, ...later.gone].map(idOf));
  const before = <T extends { readonly gateway: string; readonly node: string }>(all: readonly T[]) =>
    all.filter((each) => !changed.has(idOf(each)));
  const tables = new Map([...earlier.accepted, ...later.accepted].map((each) => [each.table, each]));
  const verdicts = new Map([...earlier.verdicts, ...later.verdicts].map((each) => [each.key, each]));
  return {
    envoys: [...before(earlier.envoys), ...later.envoys],
    gone: [...before(earlier.gone), ...later.gone],
    verdicts: [...verdicts.values()],
    accepted: [...tables.values()],
  };
}
