import { execFile, execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { send } from "../harness/client.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../harness/directory.ts";
import { freePort } from "../harness/ports.ts";
import { launch, type MeasuredProcess } from "../harness/process.ts";
import { pause, waitFor } from "../harness/waiting.ts";

/** The commands as one types them, on the sample that `make run` serves. */
const TEST_TIMEOUT_MS = 60_000;
/** A stop that waits for nobody. */
const AT_ONCE_MS = 3_000;

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const sample = fileURLToPath(new URL("../../config/samples/quickstart/", import.meta.url));
const host = "hello.example.com";

let files: TemporaryDirectory;
let env: NodeJS.ProcessEnv;
let port: number;
let backendPort: number;
let started: MeasuredProcess[];

beforeEach(async () => {
  files = temporaryDirectory("gh");
  env = { ...process.env, XDG_STATE_HOME: join(files.beside, "state") };
  [port, backendPort] = [await freePort(), await freePort()];
  started = [];
  for (const file of readdirSync(sample)) {
    const text = readFileSync(join(sample, file), "utf8");
    files.write(file, text.replace("port: 8080", `port: ${port}`).replace("port: 13000", `port: ${backendPort}`));
  }
});

afterEach(async () => {
  for (const gatehouse of started) {
    gatehouse.kill("SIGKILL");
    await gatehouse.exited;
  }
  const left = readdirSync(files.beside, { recursive: true, encoding: "utf8" });
  if (left.some((file) => file.endsWith("/process.json"))) await run("stop", files.path);
  files.discard();
}, TEST_TIMEOUT_MS);

function edit(file: string, change: (text: string) => string): void {
  files.writeAtomically(file, change(readFileSync(join(files.path, file), "utf8")));
}

/** A command that ends by itself. */
async function run(...words: string[]): Promise<{ code: number; output: string }> {
  const call = promisify(execFile)(process.execPath, [main, ...words], { env });
  return call.then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stdout + error.stderr,
    }),
  );
}

/** `gatehouse standalone` on the sample, once it has told where everything is. */
async function start(prefix: readonly string[] = []): Promise<MeasuredProcess> {
  const standalone = [main, "standalone", files.path, "--demo-backend", String(backendPort)];
  const [command = "", ...args] = [...prefix, process.execPath, ...standalone];
  const logPath = join(files.beside, `gatehouse-${started.length}.log`);
  const gatehouse = launch({ command, args, env, logPath });
  started.push(gatehouse);
  await waitFor("the start", () => /Ctrl-C stops/.test(gatehouse.log()) || !gatehouse.alive);
  return gatehouse;
}

const ask = (path: string) => send({ port, host, path });
const answers = (path = "/") =>
  ask(path).then(
    ({ status }) => status === 200,
    () => false,
  );

test(
  "every request that the start prints is answered, an edit is in effect at once, and Ctrl-C ends it",
  async () => {
    const gatehouse = await start();
    const commands = [...gatehouse.log().matchAll(/try: {2}(curl .*)/g)].map(([, command]) => `${command} --silent`);
    const curl = (command: string) => execFileSync("sh", ["-c", command], { encoding: "utf8" });
    const heads = commands.map((command) => curl(command).split("\r\n\r\n")[0] ?? "");
    expect(heads.map((head) => head.split(" ")[1]).sort()).toEqual(["200", "200", "200", "200", "302", "418"]);
    expect(heads.join("\n")).toMatch(/x-greeting: from-gatehouse[\s\S]*x-served-by: canary/);
    expect((await ask("/slow?delay=2000")).status).toBe(504);

    edit("route.yaml", (text) => text.replace("value: from-gatehouse", "value: edited"));
    await waitFor("the edited header", async () => (await ask("/greet")).headers["x-greeting"] === "edited");

    gatehouse.kill("SIGINT");
    expect(await gatehouse.exited).toBe(0);
    expect(await answers()).toBe(false);
  },
  TEST_TIMEOUT_MS,
);

test(
  "a request that takes two seconds is answered although the stop comes in between",
  async () => {
    const gatehouse = await start();
    const slow = ask("/greet?delay=2000");
    await pause(300);
    gatehouse.kill("SIGTERM");
    expect((await slow).status).toBe(200);
    expect(await gatehouse.exited).toBe(0);
  },
  TEST_TIMEOUT_MS,
);

test(
  "who asks twice to stop does not wait for requests",
  async () => {
    const gatehouse = await start();
    const slow = ask("/greet?delay=9000").catch((error: Error) => error);
    await pause(300);
    gatehouse.kill("SIGINT");
    await waitFor("the first to be heard", () => /once more to stop at once/.test(gatehouse.log()));
    const askedAt = performance.now();
    gatehouse.kill("SIGINT");
    expect(await gatehouse.exited).toBe(0);
    expect(performance.now() - askedAt).toBeLessThan(AT_ONCE_MS);
    expect(await slow).toHaveProperty("message");
    expect(await run("stop", files.path)).toEqual({ code: 0, output: `nothing runs for ${files.path}\n` });
  },
  TEST_TIMEOUT_MS,
);

test(
  "a second Gatehouse for a directory is refused, `status` asks the first, and `stop` ends it",
  async () => {
    const first = await start();
    const second = await run("standalone", `${files.path}/`);
    expect(second.code).toBe(1);
    expect(second.output).toMatch(/a Gatehouse \(process \d+\) already serves .*; end it with `gatehouse stop .*`\n$/);

    const status = await run("status", files.path);
    expect(status.code).toBe(0);
    expect(status.output.split("\n")).toEqual([
      `Gatehouse (process ${first.pid}) serves ${files.path}:`,
      "ok      GatewayClass gatehouse",
      "ok      Gateway default/quickstart: Programmed at 127.0.0.1, listener http has 2 routes",
      "ok      HTTPRoute default/hello: on quickstart",
      "ok      HTTPRoute default/tour: on quickstart",
      "ok      Backend default/demo",
      expect.stringMatching(/^Envoy of default\/quickstart is process \d+; ask it by: curl --unix-socket \S+ http:/),
      "5 objects, all well",
      "",
    ]);
    const [, command = ""] = /ask it by: (.*)/.exec(status.output) ?? [];
    expect(execFileSync("sh", ["-c", `${command} --silent`], { encoding: "utf8" })).toMatch(/server\.live: 1/);

    expect((await run("stop", files.path)).code).toBe(0);
    expect(await first.exited).toBe(0);
    expect(await answers()).toBe(false);
  },
  TEST_TIMEOUT_MS,
);

test(
  "without a running Gatehouse `status` and `translate` work it out, and their exit codes judge",
  async () => {
    const [status, translation] = await Promise.all([run("status", files.path), run("translate", files.path)]);
    expect(status.code).toBe(0);
    expect(status.output).toMatch(/^No Gatehouse serves .* This is what its files come to:\n/);
    expect(translation.code).toBe(0);
    expect(parse(translation.output)).toMatchObject({
      "default/quickstart": {
        cluster: [{ name: expect.stringContaining("backend/default/demo") }],
        endpoints: [{ clusterName: expect.stringContaining("backend/default/demo") }],
        secret: [],
        listener: [{ name: "default/quickstart/http" }],
        route: [{ name: "default/quickstart/http", virtualHosts: [{ domains: expect.arrayContaining([host]) }] }],
      },
    });

    edit("route.yaml", (text) => text.replace("hostnames:", "hostname:"));
    for (const { code, output } of await Promise.all([run("status", files.path), run("translate", files.path)])) {
      expect(code).toBe(2);
      expect(output).toMatch(
        /PROBLEM route\.yaml:\d+:\d+: HTTPRoute default\/hello: spec\.hostname: is not a known field/,
      );
    }
    const missing = join(files.path, "missing");
    expect(await run("translate", missing)).toEqual({
      code: 1,
      output: `gatehouse: there is no directory ${missing}\n`,
    });
  },
  TEST_TIMEOUT_MS,
);

/** Takes the right to open ports below 1024 away, from root too. */
const unprivileged = process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-net_bind_service"] : [];
const testUnprivileged = process.platform === "linux" ? test : test.skip;

testUnprivileged(
  "a port below 1024 is moved up where it may not be opened, and the start says so",
  async () => {
    const privileged = 1 + (port % 1_023);
    edit("gateway.yaml", (text) => text.replace(`port: ${port}`, `port: ${privileged}`));
    const gatehouse = await start(unprivileged);
    const moved = privileged + 10_000;
    expect(gatehouse.log()).toContain(`Gateway default/quickstart is at http://127.0.0.1:${moved}`);
    expect(gatehouse.log()).toContain(`port ${privileged} is served on ${moved}`);
    expect((await send({ port: moved, host })).status).toBe(200);
  },
  TEST_TIMEOUT_MS,
);
