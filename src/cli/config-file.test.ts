import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Logger } from "../base/log.ts";
import type { Configuration } from "./config.ts";
import { changedParts, loadConfiguration, type WatchedConfiguration, watchConfiguration } from "./config-file.ts";

const LOOK_MS = 10;
const configuration = (body: string) => `apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyGateway\n${body}\n`;
const level = (word: string) => configuration(`logging: {level: {default: ${word}}}`);

let folder: string;
let watched: WatchedConfiguration | undefined;
const logged: string[] = [];
const changes: Configuration[] = [];
const logger: Logger = {
  error: (message) => void logged.push(message),
  warn: (message) => void logged.push(message),
  info() {},
  debug() {},
  with: () => logger,
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "configuration-"));
  logged.length = 0;
  changes.length = 0;
});
afterEach(async () => {
  watched?.stop();
  await rm(folder, { recursive: true });
});

async function follow(path: string): Promise<WatchedConfiguration> {
  const onChange = (next: Configuration) => void changes.push(next);
  watched = await watchConfiguration({ path, log: logger, onChange, lookEveryMilliseconds: LOOK_MS });
  return watched;
}

async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
/** At once: on a busy machine a file that is written in place stays empty for longer than two looks. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}
const looks = (count: number) => new Promise((resolve) => setTimeout(resolve, LOOK_MS * (count + 1)));

test("a ConfigMap's file, which is a link that is swapped, is followed", async () => {
  const publish = async (version: string, text: string) => {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, "gatehouse.yaml"), text);
    await symlink(version, join(folder, "..next"));
    await rename(join(folder, "..next"), join(folder, "..data"));
  };
  await publish("1", level("warn"));
  await symlink("..data/gatehouse.yaml", join(folder, "gatehouse.yaml"));
  const { current } = await follow(join(folder, "gatehouse.yaml"));
  expect(current.logging.levels.default).toBe("warn");
  await publish("2", level("debug"));
  await until(() => changes.length === 1);
  expect(changes[0]?.logging.levels.default).toBe("debug");
});

test("a wrong change is told once and not taken, nor is one that changes nothing", async () => {
  const path = join(folder, "gatehouse.yaml");
  await writeFile(path, level("warn"));
  const file = await follow(path);
  await replace(path, level("loud"));
  await until(() => logged.length > 0);
  await looks(3);
  expect(logged).toEqual(["the changed configuration file is refused; what it said before stays"]);
  expect(file.current.logging.levels.default).toBe("warn");
  await replace(path, `# a comment\n${level("warn")}`);
  await looks(3);
  expect(changes).toEqual([]);
  await replace(path, level("error"));
  await until(() => changes.length === 1);
  expect(file.current.logging.levels.default).toBe("error");
});

test("a file that goes away is told once, and followed again when it is back", async () => {
  const path = join(folder, "gatehouse.yaml");
  await writeFile(path, level("warn"));
  const file = await follow(path);
  await rm(path);
  await until(() => logged.length > 0);
  await looks(3);
  expect(logged).toHaveLength(1);
  expect(file.current.logging.levels.default).toBe("warn");
  await writeFile(path, level("debug"));
  await until(() => changes.length === 1);
});

test("after stop nothing is told", async () => {
  const path = join(folder, "gatehouse.yaml");
  await writeFile(path, level("warn"));
  (await follow(path)).stop();
  await writeFile(path, level("debug"));
  await looks(3);
  expect(changes).toEqual([]);
});

test("a start without a good file fails with what is wrong", async () => {
  const path = join(folder, "gatehouse.yaml");
  await expect(follow(path)).rejects.toThrow(/gatehouse\.yaml cannot be read: ENOENT/);
  await writeFile(path, level("loud"));
  await expect(follow(path)).rejects.toThrow(/gatehouse\.yaml:3:\d+: logging\.level\.default: must be/);
});

test("only what needs more than new log levels asks for a new start", async () => {
  const path = join(folder, "gatehouse.yaml");
  const load = async (text: string) => {
    await writeFile(path, text);
    return loadConfiguration(path);
  };
  const before = await load(level("warn"));
  expect(changedParts(before, await load(level("debug")))).toEqual([]);
  const after = await load(configuration("admin: {address: {port: 1}}\nenvoyProxy: {concurrency: 1}"));
  expect(changedParts(before, after)).toEqual(["admin", "envoyProxy"]);
});
