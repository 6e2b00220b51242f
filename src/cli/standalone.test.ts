import { get } from "node:http";
import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  createWorkspace,
  eventually,
  findFreePort,
  type Gatehouse,
  runGatehouse,
  type Workspace,
} from "./gatehouse.test-support.ts";

const TEST_TIMEOUT_MS = 120_000;

let workspace: Workspace;
let running: Gatehouse[];

beforeEach(async () => {
  workspace = await createWorkspace();
  running = [];
});

afterEach(async () => {
  for (const { process, ended } of running) {
    process.kill("SIGKILL");
    await ended;
  }
  await runGatehouse(workspace, "stop", workspace.directory).ended;
  await workspace.remove();
}, TEST_TIMEOUT_MS);

async function start(...words: string[]): Promise<Gatehouse> {
  const gatehouse = runGatehouse(
    workspace,
    ...["standalone", workspace.directory, "--demo-backend", String(workspace.backendPort), ...words],
  );
  running.push(gatehouse);
  await gatehouse.waitForOutput(/Ctrl-C stops/);
  return gatehouse;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** A request on a connection of its own. */
function request(path: string, host = "hello.example.com"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { port: workspace.port, path, headers: { host }, agent: false };
    get(options, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    }).on("error", reject);
  });
}

async function readAdmin<T>(gatehouse: Gatehouse, path: string): Promise<T> {
  const [, admin] = await gatehouse.waitForOutput(/Admin: (http:\S+)\/status/);
  const response = await fetch(`${admin}${path}`);
  return (path === "/metrics" ? await response.text() : await response.json()) as T;
}

test(
  "the quickstart answers the request that it prints, and an edit is in effect without a lost request",
  async () => {
    const gatehouse = await start();
    expect(gatehouse.output()).toContain(`curl -H 'Host: hello.example.com' http://127.0.0.1:${workspace.port}/greet`);
    const greeting = await request("/greet/you");
    expect(greeting).toMatchObject({ status: 200, headers: { "x-greeting": "from-gatehouse" } });
    expect(JSON.parse(greeting.body)).toMatchObject({ backend: "demo", path: "/hello/you" });
    expect((await request("/", "other.example.com")).status).toBe(404);

    await workspace.edit("route.yaml", (text) => text.replace("value: from-gatehouse", "value: edited"));
    const statuses = new Set<number>();
    await eventually("the edited header", async () => {
      const answer = await request("/greet");
      statuses.add(answer.status);
      return answer.headers["x-greeting"] === "edited" ? true : undefined;
    });
    expect([...statuses]).toEqual([200]);

    gatehouse.process.kill("SIGINT");
    expect(await gatehouse.ended).toBe(0);
    await expect(request("/greet")).rejects.toThrow();
  },
  TEST_TIMEOUT_MS,
);

test(
  "a request that is under way when Ctrl-C comes is answered",
  async () => {
    const gatehouse = await start();
    const slow = request("/greet?delay=1500");
    await new Promise((resolve) => setTimeout(resolve, 300));
    gatehouse.process.kill("SIGINT");
    expect((await slow).status).toBe(200);
    expect(await gatehouse.ended).toBe(0);
  },
  TEST_TIMEOUT_MS,
);

test(
  "a killed Gatehouse loses no request, its successor takes the Envoy over and resends nothing",
  async () => {
    const first = await start();
    const [, pid] = await first.waitForOutput(/Envoy of default\/quickstart is started \(process (\d+)\)/);
    first.process.kill("SIGKILL");
    await first.ended;
    const backend = runGatehouse(workspace, "demo-backend", "--port", String(workspace.backendPort), "--name", "other");
    running.push(backend);
    await backend.waitForOutput(/answers on/);
    expect((await request("/greet")).status).toBe(200);

    const second = runGatehouse(workspace, "standalone", workspace.directory);
    running.push(second);
    await second.waitForOutput(/Ctrl-C stops/);
    expect(second.output()).toContain(
      `Envoy of default/quickstart (process ${pid}) was still serving and is taken over`,
    );
    expect(await readAdmin<string>(second, "/metrics")).toContain("gatehouse_xds_resources_sent_total 0");
    expect((await request("/greet")).status).toBe(200);

    await workspace.edit("route.yaml", (text) => text.replace("value: from-gatehouse", "value: edited"));
    await eventually("the edited header", async () =>
      (await request("/greet")).headers["x-greeting"] === "edited" ? true : undefined,
    );
  },
  TEST_TIMEOUT_MS,
);

test(
  "an Envoy that is killed serves again",
  async () => {
    const gatehouse = await start();
    const [, pid] = await gatehouse.waitForOutput(/Envoy of default\/quickstart is started \(process (\d+)\)/);
    process.kill(Number(pid), "SIGKILL");
    await gatehouse.waitForOutput(/is started again/);
    await eventually("an answer", async () =>
      request("/greet").then(
        ({ status }) => (status === 200 ? true : undefined),
        () => undefined,
      ),
    );
  },
  TEST_TIMEOUT_MS,
);

test(
  "a taken port is told in Envoy's words, and costs only its own listener",
  async () => {
    const other = await findFreePort();
    const blocker = createServer().listen(other, "127.0.0.1");
    try {
      const listener = `\n    - name: taken\n      protocol: HTTP\n      port: ${other}\n`;
      await workspace.edit("gateway.yaml", (text) => text.trimEnd() + listener);
      const gatehouse = await start();
      await gatehouse.waitForOutput(/listener taken: Programmed=False \(Invalid\).*Address already in use/);
      expect((await request("/greet")).status).toBe(200);
    } finally {
      blocker.close();
    }
  },
  TEST_TIMEOUT_MS,
);

test(
  "a second Gatehouse for the same directory is refused, and `stop` ends the first",
  async () => {
    const first = await start();
    const second = runGatehouse(workspace, "standalone", workspace.directory);
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(/already serves .* end it with `gatehouse stop/);
    const stop = runGatehouse(workspace, "stop", workspace.directory);
    expect(await stop.ended).toBe(0);
    expect(await first.ended).toBe(0);
    const again = runGatehouse(workspace, "stop", workspace.directory);
    await again.ended;
    expect(again.output()).toContain("nothing runs for");
  },
  TEST_TIMEOUT_MS,
);

test(
  "status and translate, with and without a running Gatehouse",
  async () => {
    const offline = runGatehouse(workspace, "status", workspace.directory);
    expect(await offline.ended).toBe(0);
    expect(offline.output()).toContain("nothing is programmed");
    await start();
    const online = runGatehouse(workspace, "status", workspace.directory);
    expect(await online.ended).toBe(0);
    expect(online.output()).toContain(
      "ok      Gateway default/quickstart: Programmed at 127.0.0.1, listener http has 1 route",
    );

    const translate = runGatehouse(
      workspace,
      "translate",
      workspace.directory,
      "-o",
      "json",
      "--type",
      "listener",
      "route",
    );
    expect(await translate.ended).toBe(0);
    expect(JSON.parse(translate.output())).toMatchObject({
      "default/quickstart": {
        listener: [{ name: "default/quickstart/http" }],
        route: [{ name: "default/quickstart/http" }],
      },
    });
  },
  TEST_TIMEOUT_MS,
);
