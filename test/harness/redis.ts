import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { launch } from "./process.ts";
import { waitFor } from "./waiting.ts";

/** A Redis of its own that keeps nothing. */
export interface Redis {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startRedis(host = "127.0.0.1"): Promise<Redis> {
  const folder = mkdtempSync(join(tmpdir(), "gh-redis-"));
  const port = await freePort();
  const args = ["--port", String(port), "--bind", host, "--save", "", "--appendonly", "no", "--dir", folder];
  const server = launch({ command: "redis-server", args, logPath: join(folder, "redis.log") });
  await waitFor("Redis", async () => {
    const socket = connect(port, host);
    await once(socket, "connect").finally(() => socket.destroy());
    return true;
  });
  return {
    port,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
