import { createPrivateKey, generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Somebody who issues JSON Web Tokens. */
export interface TokenIssuer {
  /** What others need to check its tokens, as a key of a JSON Web Key Set. */
  readonly key: JsonWebKey;
  /** A token with these claims, valid for an hour unless they say something else. */
  issue(claims: Readonly<Record<string, unknown>>): string;
}

const HOUR_SECONDS = 3600;
const algorithms: Readonly<Record<string, string | null>> = { ES256: "sha256", RS256: "sha256", EdDSA: null };

export function createIssuer(kid: string, alg = "ES256", privateKey = generateKey(alg)): TokenIssuer {
  const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...key } = privateKey.export({ format: "jwk" });
  return {
    key: { ...key, kid, alg, use: "sig" },
    issue(claims) {
      const part = (content: object) => Buffer.from(JSON.stringify(content)).toString("base64url");
      const exp = Math.floor(Date.now() / 1000) + HOUR_SECONDS;
      const text = `${part({ alg, kid, typ: "JWT" })}.${part({ exp, ...claims })}`;
      const signature = sign(algorithms[alg], Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${text}.${signature.toString("base64url")}`;
    },
  };
}

function generateKey(alg: string): KeyObject {
  if (alg === "RS256") return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  if (alg === "EdDSA") return generateKeyPairSync("ed25519").privateKey;
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}

export const keySetOf = (...issuers: readonly TokenIssuer[]) => JSON.stringify({ keys: issuers.map(({ key }) => key) });

/** Headers of a request that shows a token. */
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Whose public key docs/policies/securitypolicy.md shows. It is of no other use. */
export const documentedIssuer = createIssuer(
  "2026",
  "ES256",
  createPrivateKey({
    format: "jwk",
    key: {
      kty: "EC",
      crv: "P-256",
      x: "l9mNx59HDH2zvqhuWWyArglf7kX9kVwBa79831FqWbY",
      y: "SnvjGcrrgF-2Ph5Fz6HeXvNKzXmhulA4ULeRnOB035o",
      d: "ZOKQu_uAEaw7tVUETcRcPBccr4XycfeWf7iAsLIjxuI",
    },
  }),
);

/** Serves a key set over HTTP. */
export interface KeyServer {
  readonly port: number;
  /** Paths and hosts that were asked for. */
  readonly asked: readonly string[];
  /** What it answers from now on; undefined: it breaks connections off. */
  serve(keySet: string | undefined): void;
  stop(): Promise<void>;
}

export async function startKeyServer(first: string): Promise<KeyServer> {
  const asked: string[] = [];
  let keySet: string | undefined = first;
  const server = createServer((request, response) => {
    asked.push(`${request.headers.host}${request.url}`);
    if (keySet === undefined) request.socket.destroy();
    else response.setHeader("content-type", "application/json").end(keySet);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    serve: (next) => {
      keySet = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
