import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ENVOY_VERSION, locateEnvoy } from "./envoy-binary.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-binary-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function install(...path: string[]): Promise<string> {
  const file = join(folder, ...path);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, "#!/bin/sh\n");
  await chmod(file, 0o755);
  return file;
}

test("looks at --envoy, ENVOY_PATH, PATH and the tool folder, in this order", async () => {
  const [argument, variable, onPath, tool] = await Promise.all([
    install("a", "envoy"),
    install("b", "envoy"),
    install("c", "envoy"),
    install("tools", `envoy-${ENVOY_VERSION}`, "bin", "envoy"),
  ]);
  const tools = { GATEHOUSE_TOOLS: join(folder, "tools") };
  const path = { ...tools, PATH: `${join(folder, "nothing")}:${join(folder, "c")}` };
  const everything = { ...path, ENVOY_PATH: variable };
  expect(await locateEnvoy(argument, everything)).toBe(argument);
  expect(await locateEnvoy(undefined, everything)).toBe(variable);
  expect(await locateEnvoy(undefined, path)).toBe(onPath);
  expect(await locateEnvoy(undefined, tools)).toBe(tool);
});

test("a named path that is no executable is an error, not a reason to look further", async () => {
  const onPath = await install("c", "envoy");
  await writeFile(join(folder, "plain"), "");
  const environment = { PATH: join(onPath, ".."), ENVOY_PATH: join(folder, "plain") };
  await expect(locateEnvoy(undefined, environment)).rejects.toThrow(/^ENVOY_PATH names .*plain/);
  await expect(locateEnvoy(folder, {})).rejects.toThrow(/^--envoy names /);
});

test("names the command that installs one", async () => {
  await expect(locateEnvoy(undefined, { GATEHOUSE_TOOLS: folder, PATH: "" })).rejects.toThrow("make tools");
});

test("the script of a Python environment stands for the binary in its package", async () => {
  const script = await install("venv", "bin", "envoy");
  const packaged = await install("venv", "lib", "python3.11", "site-packages", "envoy", "_bin", "envoy");
  await symlink(script, join(folder, "link"));
  expect(await locateEnvoy(script, {})).toBe(packaged);
});
