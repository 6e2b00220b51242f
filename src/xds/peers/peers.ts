import type { Logger } from "../../base/log.ts";
import type { Replicas } from "../../pipeline/replicas.ts";
import type { TlsMaterial } from "../secure-listener.ts";
import { followPeer, type PeerClient, type PeerMaterial } from "./peer-client.ts";
import { createPeerServer } from "./peer-server.ts";

export interface PeersOptions {
  readonly replicas: Replicas;
  /** The one name in the certificate of each replica. */
  readonly identity: string;
  /** The name in the certificate that each serves with. */
  readonly serverName: string;
  /** On which every replica listens. */
  readonly port: number;
  readonly log: Logger;
}

/** The replicas of one control plane, each of which tells all others of its own Envoys. */
export interface Peers {
  listen(host: string): Promise<void>;
  setCertificates(material: TlsMaterial & { readonly client?: PeerMaterial["client"] }): void;
  /** The others that there are now: addresses by name. */
  setOthers(others: ReadonlyMap<string, string>): void;
  /** Others that there are, and how many of them have told everything. */
  figures(): { readonly others: number; readonly heard: number };
  /** All that there are were heard, or tried in vain. */
  readonly tried: boolean;
  close(): void;
}

/** Others beyond it are not followed. */
export const OTHERS_MAX = 16;

export function createPeers({ replicas, identity, serverName, port, log }: PeersOptions): Peers {
  const clients = new Map<string, { readonly address: string; readonly client: PeerClient }>();
  let material: PeerMaterial | undefined;
  const server = createPeerServer({
    replicas,
    identity,
    onDenial: ({ peer, why }) => log.warn("refused a client that is no replica", { peer, why }),
  });

  function follow(name: string, address: string): void {
    const client = followPeer({
      address: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
      serverName,
      material: () => material,
      onMessage({ complete, ...news }) {
        if (complete) log.info("another replica tells of its Envoys", { replica: name, envoys: news.envoys.length });
        replicas.told(name, news, { complete });
      },
      onEnd({ heard, why }) {
        log[heard ? "info" : "debug"]("another replica is not heard", { replica: name, why });
        if (heard) replicas.lost(name);
      },
    });
    clients.set(name, { address, client });
  }

  function leave(name: string): void {
    const other = clients.get(name);
    other?.client.close();
    if (clients.delete(name)) replicas.lost(name);
  }

  return {
    async listen(host) {
      await server.listen(host, port);
    },
    setCertificates({ client, ...served }) {
      server.setCertificates(served);
      material = client && { client, authorities: served.authorities };
    },
    setOthers(others) {
      for (const [name, { address }] of clients) if (others.get(name) !== address) leave(name);
      for (const [name, address] of others) {
        if (!clients.has(name) && clients.size < OTHERS_MAX) follow(name, address);
      }
    },
    figures: () => ({
      others: clients.size,
      heard: [...clients.values()].filter(({ client }) => client.heard).length,
    }),
    get tried() {
      return [...clients.values()].every(({ client }) => client.tried);
    },
    close() {
      for (const name of [...clients.keys()]) leave(name);
      server.close();
    },
  };
}
