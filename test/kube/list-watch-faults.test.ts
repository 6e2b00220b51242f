import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { followedKinds } from "../../src/inputs/kubernetes/followed-kinds.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { pause, waitFor } from "../harness/waiting.ts";
import { expiredStatus, type Fault, type FaultProxy, type Passing, startFaultProxy } from "./fault-proxy.ts";
import { configMap, type Mirror, type MirrorOptions, startMirror, untilEqual } from "./input-world.ts";

// A machine that does other things as well takes its time.
jest.setTimeout(60_000);

/*
 * Each fault stands between an input and a real API server while objects are created, changed and deleted. Afterwards the input
 * must have what the server has, and every deletion must have been handed on.
 */

const PATH = "/api/v1/namespaces/default/configmaps";
const LIST = "/api/v1/configmaps";
const configMaps = followedKinds.filter((kind) => kind.collection === "configMaps");
const scope = { type: "Namespaces", namespaces: ["default"] } as const;

let server: ApiServer;
let proxy: FaultProxy;
let mirror: Mirror | undefined;
let round = 0;

beforeAll(async () => {
  server = await startApiServer();
}, 150_000);
afterAll(() => server?.stop());
beforeEach(async () => {
  round++;
  proxy = await startFaultProxy({ url: server.url, caCertificate: server.caCertificate, token: server.adminToken });
});
afterEach(async () => {
  await mirror?.stop();
  mirror = undefined;
  await proxy.close();
});

const name = (text: string) => `r${round}-${text}`;
const put = (object: ReturnType<typeof configMap>) =>
  server.rest.json(`${PATH}/${object.metadata.name}?fieldManager=test&force=true`, {
    method: "PATCH",
    contentType: "application/apply-patch+yaml",
    body: object,
  });
const remove = (objectName: string) => server.rest.json(`${PATH}/${objectName}`, { method: "DELETE" });

async function start(options: Partial<MirrorOptions> = {}): Promise<Mirror> {
  for (const text of ["kept", "changed", "deleted", "replaced"]) await put(configMap(name(text), "1"));
  mirror = startMirror({ url: proxy.url, token: "any", kinds: configMaps, scope, ...options });
  await waitFor("the first list", () => mirror?.synced === 1);
  await untilEqual(server, mirror, "configMaps", PATH);
  // Faults are about an open watch; one that begins before it is open would meet none.
  await openWatch();
  return mirror;
}

/** What happens in a gap: an object of every fate. */
async function changeThings(): Promise<void> {
  await put(configMap(name("created"), "1"));
  await put(configMap(name("changed"), "2"));
  await remove(name("deleted"));
  await remove(name("replaced"));
  await put(configMap(name("replaced"), "another"));
}

async function expectNothingLost(of: Mirror): Promise<void> {
  await untilEqual(server, of, "configMaps", PATH);
  expect(of.deletions).toContain(`configMaps default/${name("deleted")}`);
  await waitFor("the change to arrive", () => dataOf(of, "changed") === "2" && dataOf(of, "replaced") === "another");
  // It goes on: the next change arrives too.
  await put(configMap(name("kept"), "later"));
  await waitFor("a later change to arrive", () => dataOf(of, "kept") === "later");
  expect(of.synced).toBe(1);
}

function dataOf(of: Mirror, text: string): string | undefined {
  const object = of.get("configMaps", `default/${name(text)}`) as
    | { readonly data?: { readonly value?: string } }
    | undefined;
  return object?.data?.value;
}

const openWatch = () => waitFor("a watch to be open", () => proxy.watches("configmaps")[0]);
const failNext = (matches: (request: Passing) => boolean, times: number, fault: Fault) => {
  let left = times;
  proxy.intercept((request) => (matches(request) && left-- > 0 ? fault : undefined));
};
const status = (code: number, headers: Record<string, string> = {}) => ({
  status: code,
  headers,
  body: { kind: "Status", code },
});

describe("a watch that breaks", () => {
  test("inside a line", async () => {
    const of = await start();
    (await openWatch()).cutNextLine();
    await changeThings();
    await expectNothingLost(of);
    // Found again from where it was, without a new list.
    expect(proxy.log.filter((line) => line === `GET ${PATH}`)).toHaveLength(1);
  });

  test("between lines, by reset and by a proper end", async () => {
    const of = await start();
    (await openWatch()).reset();
    await changeThings();
    await expectNothingLost(of);
    (await openWatch()).end();
    await remove(name("kept"));
    await waitFor("the deletion", () => of.deletions.includes(`configMaps default/${name("kept")}`));
  });

  test("without anybody being told: half open", async () => {
    const of = await start({ timing: { idleMilliseconds: 800, watchSeconds: 300 } });
    (await openWatch()).freeze();
    await changeThings();
    await expectNothingLost(of);
  });

  test("again and again, at once after it was opened", async () => {
    const of = await start();
    failNext(({ isWatch }) => isWatch, 6, "reset");
    (await openWatch()).reset();
    await changeThings();
    await expectNothingLost(of);
  });

  test("by a line that is no event", async () => {
    const of = await start();
    (await openWatch()).forge("<html>welcome to the captive portal</html>");
    await changeThings();
    await expectNothingLost(of);
  });
});

describe("a server that answers with errors", () => {
  test.each([500, 502, 503, 504, 403, 401])("a storm of %i, to watches and lists", async (code) => {
    const of = await start();
    proxy.intercept(() => status(code));
    (await openWatch()).reset();
    await changeThings();
    await pause(500);
    proxy.intercept(undefined);
    await expectNothingLost(of);
  });

  test("429 with Retry-After: not before, and not long after", async () => {
    const of = await start();
    const times: number[] = [];
    proxy.intercept(({ isWatch }) => {
      if (!isWatch) return undefined;
      times.push(performance.now());
      return times.length === 1 ? status(429, { "retry-after": "2" }) : undefined;
    });
    (await openWatch()).reset();
    await changeThings();
    await expectNothingLost(of);
    expect(times[1]! - times[0]!).toBeGreaterThan(1990);
    expect(times[1]! - times[0]!).toBeLessThan(4000);
  });

  test("a silent one, which never answers and then resets", async () => {
    const of = await start();
    let silent = 0;
    proxy.intercept(({ isWatch }) => (isWatch && silent++ === 0 ? "silence" : undefined));
    (await openWatch()).reset();
    await changeThings();
    await waitFor("a watch that gets no answer", () => silent > 0);
    await pause(300);
    await proxy.down();
    await proxy.up();
    await expectNothingLost(of);
  });
});

describe("410 Gone", () => {
  const gone = { status: 410, body: expiredStatus };

  test("when a watch is opened", async () => {
    const of = await start();
    failNext(({ isWatch }) => isWatch, 1, gone);
    (await openWatch()).reset();
    await changeThings();
    await expectNothingLost(of);
    expect(proxy.log.filter((line) => line === `GET ${PATH}`)).toHaveLength(2);
  });

  test("as an ERROR event inside a watch, and in each that is opened at the same place", async () => {
    const of = await start();
    const watch = await openWatch();
    const error = { type: "ERROR", object: expiredStatus };
    const lists = () => proxy.log.filter((line) => line === `GET ${PATH}`).length;
    const before = lists();
    // What servers send where the place is too old: status 200, and the refusal as the only event.
    proxy.intercept(({ isWatch }) =>
      isWatch && lists() === before ? { status: 200, body: `${JSON.stringify(error)}\n` } : undefined,
    );
    watch.forge(error);
    await changeThings();
    await expectNothingLost(of);
  });

  test("for a continue token, while objects of the pages before are deleted", async () => {
    const count = 120;
    const names = Array.from({ length: count }, (_, index) => name(`page-${index}`));
    for (const each of names) await put(configMap(each, "1"));
    let first: string | undefined;
    proxy.intercept(({ query, isWatch }) => {
      if (isWatch || !query.has("continue") || first !== undefined) return undefined;
      // The first page has been handed on, and this is the first on it.
      first = mirror?.keys("configMaps")[0];
      void remove(String(first).split("/")[1]!);
      return gone;
    });
    const of = await start();
    await changeThings();
    await expectNothingLost(of);
    expect(of.deletions).toContain(`configMaps ${first}`);
    for (const each of names) await remove(each);
    await untilEqual(server, of, "configMaps", PATH);
  });

  test("in every position at once, for a while", async () => {
    const of = await start();
    const until = performance.now() + 1500;
    const before = proxy.log.length;
    proxy.intercept(({ isWatch }) => (isWatch && performance.now() < until ? gone : undefined));
    (await openWatch()).reset();
    await changeThings();
    await pause(1500);
    // Lists succeed all the while; that must not make it ask without pause.
    expect(proxy.log.length - before).toBeLessThan(24);
    await expectNothingLost(of);
  });
});

describe("longer absences", () => {
  test("the network is gone, and the server restarts meanwhile: its watch cache no longer knows our place", async () => {
    const of = await start();
    await proxy.down();
    await changeThings();
    await server.restart();
    await pause(200);
    const back = performance.now();
    await proxy.up();
    await untilEqual(server, of, "configMaps", PATH);
    expect(performance.now() - back).toBeLessThan(2000);
    await expectNothingLost(of);
  }, 120_000);

  test("the server restarts under open watches, killed and stopped in order", async () => {
    const of = await start();
    await server.down("SIGKILL");
    await server.up();
    await changeThings();
    await expectNothingLost(of);
    await server.restart();
    await remove(name("kept"));
    await waitFor("the deletion", () => of.deletions.includes(`configMaps default/${name("kept")}`));
  }, 120_000);

  test("an expired token is read again from its file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "gatehouse-token-"));
    const file = join(folder, "token");
    writeFileSync(file, "first");
    let valid = "Bearer first";
    proxy.intercept(({ headers }) => (headers.authorization === valid ? undefined : status(401)));
    const of = await start({ tokenFile: file, token: undefined });
    valid = "Bearer second";
    (await openWatch()).reset();
    await changeThings();
    await pause(500);
    expect(of.deletions).toEqual([]);
    writeFileSync(file, "second");
    await expectNothingLost(of);
    rmSync(folder, { recursive: true });
  });

  test("objects that did not change during an absence are not handed on again", async () => {
    const of = await start();
    const before = of.handedOn("configMaps");
    failNext(({ isWatch }) => isWatch, 1, { status: 410, headers: {}, body: expiredStatus });
    (await openWatch()).reset();
    await put(configMap(name("changed"), "2"));
    await waitFor("the change", () => dataOf(of, "changed") === "2");
    expect(of.handedOn("configMaps") - before).toBe(1);
  });
});

test("a taker that fails does not end the following", async () => {
  let faulty = false;
  const of = await start({
    beforeBatch: () => {
      if (faulty) throw new Error("a bug");
    },
  });
  faulty = true;
  await put(configMap(name("kept"), "not taken"));
  await pause(200);
  faulty = false;
  await changeThings();
  await waitFor("what came later", () => dataOf(of, "changed") === "2" && dataOf(of, "replaced") === "another");
  expect(dataOf(of, "kept")).toBe("1");
});

test("the path of the list is the namespace's own: nothing is asked of the whole cluster", async () => {
  await start();
  expect(proxy.log).not.toContain(`GET ${LIST}`);
});
