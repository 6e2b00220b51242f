import { createServer } from "node:net";

/** Below the kernel's ephemeral range (32768 and up), so that no outgoing connection can take a port between check and use. */
const FIRST_PORT = 18_000;
const LAST_PORT = 32_000;
const ATTEMPTS_MAX = 200;

const taken = new Set<number>();

/** A TCP port that is free on 127.0.0.1 now and that this process has not handed out before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (!taken.has(port) && (await isFree(port))) {
      taken.add(port);
      return port;
    }
  }
  throw new Error(`no free TCP port found between ${FIRST_PORT} and ${LAST_PORT} in ${ATTEMPTS_MAX} attempts`);
}

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let i = 0; i < count; i++) ports.push(await freePort());
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "0.0.0.0", () => server.close(() => resolve(true)));
  });
}
