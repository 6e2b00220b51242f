import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createFileInput, type FileInput, loadDirectory } from "./file-input.ts";
import { formatInputProblem } from "./problem.ts";

const configMap = (name: string, value = "1") =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {x: "${value}"}\n`;

/** A test that waits longer than this has failed; nothing else depends on it. */
const PATIENCE_MS = 4_000;

let top: string;
let folder: string;
let input: FileInput;
/** Current objects: name to value. */
let objects: Map<string, string | undefined>;
/** Everything that happened to an object, in order. */
let history: string[];
let problems: Map<string, string[]>;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "file-input-"));
  folder = join(top, "folder");
  mkdirSync(folder);
  objects = new Map();
  history = [];
  problems = new Map();
  input = createFileInput({
    directory: folder,
    onBatch(batch) {
      for (const [key, object] of batch.configMaps ?? []) {
        const name = key.slice("default/".length);
        const value = (object as { data?: { x?: string } } | undefined)?.data?.x;
        history.push(`${name}=${value}`);
        if (object) objects.set(name, value);
        else objects.delete(name);
      }
    },
    onProblems(changed) {
      for (const [file, list] of changed) problems.set(file, list.map(formatInputProblem));
    },
  });
});

afterEach(() => {
  input.stop();
  rmSync(top, { recursive: true, force: true });
});

function write(file: string, content: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), content);
}

/** As editors and deployment tools do: nobody ever sees half a file. */
function save(file: string, content: string): void {
  const temporary = join(folder, `.${file.replaceAll("/", "_")}.tmp`);
  writeFileSync(temporary, content);
  renameSync(temporary, join(folder, file));
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!condition() && Date.now() < end) await wait(2);
  const now = { objects: Object.fromEntries([...objects].slice(0, 9)), problems: [...problems], holds: condition() };
  expect(now).toMatchObject({ holds: true });
}

/** Waits until `name` has that value; undefined = is gone. */
const has = (name: string, value: string | undefined) => until(() => objects.get(name) === value);

test("reads a folder of any layout, and only files of objects", async () => {
  write("a.yaml", `${configMap("a")}---\n${configMap("b")}`);
  write("x/y/c.yml", configMap("c"));
  const json = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "d" }, data: { x: "1" } };
  write("x/d.json", JSON.stringify(json));
  for (const other of [".hidden.yaml", "x/.git/e.yaml", "e.yaml~", "#e.yaml#", "e.yaml.swp", "README.md"]) {
    write(other, configMap("e"));
  }
  expect(await input.start()).toEqual({ files: 3, objects: 4 });
  expect([...objects.keys()].sort()).toEqual(["a", "b", "c", "d"]);
  const once = await loadDirectory(folder);
  expect(once).toMatchObject({ files: 3, objects: 4, problems: [] });
  expect([...(once.batch.configMaps ?? [])].length).toBe(4);
});

test("a save by rename, a write in place, and the steps of a careful editor never remove an object", async () => {
  write("a.yaml", configMap("a"));
  await input.start();
  save("a.yaml", configMap("a", "2"));
  await has("a", "2");
  write("a.yaml", configMap("a", "3"));
  await has("a", "3");
  truncateSync(join(folder, "a.yaml"));
  await wait(1);
  appendFileSync(join(folder, "a.yaml"), configMap("a", "4"));
  await has("a", "4");
  renameSync(join(folder, "a.yaml"), join(folder, "a.yaml~"));
  await wait(1);
  write("a.yaml", configMap("a", "5"));
  await has("a", "5");
  renameSync(join(folder, "a.yaml"), join(folder, "b.yaml"));
  save("b.yaml", configMap("a", "6"));
  await has("a", "6");
  expect(history).toEqual(["a=1", "a=2", "a=3", "a=4", "a=5", "a=6"]);
});

test("files, and folders with all they hold, come and go", async () => {
  await input.start();
  write("a.yaml", configMap("a"));
  await has("a", "1");
  write("x/y/b.yaml", configMap("b"));
  await has("b", "1");
  save("x/y/b.yaml", configMap("b", "2"));
  await has("b", "2");
  renameSync(join(folder, "x"), join(folder, "z"));
  save("z/y/b.yaml", configMap("b", "3"));
  await has("b", "3");
  expect(history).not.toContain("b=undefined");
  rmSync(join(folder, "z"), { recursive: true });
  await has("b", undefined);
  rmSync(join(folder, "a.yaml"));
  await has("a", undefined);
  mkdirSync(join(top, "elsewhere/deep"), { recursive: true });
  writeFileSync(join(top, "elsewhere/deep/c.yaml"), configMap("c"));
  renameSync(join(top, "elsewhere"), join(folder, "x"));
  await has("c", "1");
});

test("a broken edit is reported where it is and harms nothing; its repair counts", async () => {
  write("a.yaml", configMap("a"));
  await input.start();
  save("a.yaml", `${configMap("b")}---\nkind: ConfigMap\n  name: a\n`);
  await until(() => (problems.get("a.yaml")?.length ?? 0) > 0);
  await has("b", "1");
  expect(problems.get("a.yaml")?.[0]).toMatch(/^a\.yaml:[67]:\d+: is not valid YAML: /);
  expect(objects.get("a")).toBe("1");
  save("a.yaml", `${configMap("b")}---\n${configMap("a", "2")}`);
  await has("a", "2");
  await until(() => problems.get("a.yaml")?.length === 0);
  expect(history).not.toContain("a=undefined");
});

test("what cannot be read is told by its file and harms nothing", async () => {
  write("a.yaml", configMap("a"));
  writeFileSync(join(folder, "utf16.yaml"), configMap("b"), "utf16le");
  writeFileSync(join(folder, "binary.yaml"), Buffer.of(0x80, 0xff, 0x31));
  writeFileSync(join(folder, "huge.yaml"), "");
  truncateSync(join(folder, "huge.yaml"), 300 * 1024 * 1024);
  symlinkSync("loop.yaml", join(folder, "loop.yaml"));
  if (process.getuid?.() === 0) {
    // Root may read every file; its own memory at address 0 it may not.
    symlinkSync("/proc/self/mem", join(folder, "secret.yaml"));
  } else {
    writeFileSync(join(folder, "secret.yaml"), configMap("b"), { mode: 0 });
  }
  expect(await input.start()).toMatchObject({ files: 6, objects: 1 });
  const told = [...problems.values()].flat().sort();
  expect(told).toEqual([
    "binary.yaml:1:1: is not text in UTF-8; save it in this encoding",
    "huge.yaml:1:1: is larger than 256 MB",
    expect.stringMatching(/^loop\.yaml:1:1: cannot be read: ELOOP/),
    expect.stringMatching(/^secret\.yaml:1:1: cannot be read: (EIO|EACCES)/),
    "utf16.yaml:1:1: is not text in UTF-8; save it in this encoding",
  ]);
  rmSync(join(folder, "loop.yaml"));
  write("loop.yaml", configMap("loop"));
  await has("loop", "1");
});

test("a mounted ConfigMap is followed when it is swapped", async () => {
  const publish = (version: string, content: string) => {
    mkdirSync(join(folder, `..${version}`));
    writeFileSync(join(folder, `..${version}`, "a.yaml"), content);
    symlinkSync(`..${version}`, join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  };
  publish("v1", configMap("a"));
  symlinkSync("..data/a.yaml", join(folder, "a.yaml"));
  await input.start();
  expect(objects.get("a")).toBe("1");
  for (const version of ["2", "3", "4"]) {
    publish(`v${version}`, configMap("a", version));
    rmSync(join(folder, `..v${Number(version) - 1}`), { recursive: true });
    await has("a", version);
  }
  expect(history).toEqual(["a=1", "a=2", "a=3", "a=4"]);
});

test("links to files and folders outside are followed, and one that leads in a circle ends", async () => {
  mkdirSync(join(top, "outside/inner"), { recursive: true });
  writeFileSync(join(top, "outside/a.yaml"), configMap("a"));
  writeFileSync(join(top, "outside/inner/b.yaml"), configMap("b"));
  symlinkSync("../outside/a.yaml", join(folder, "a.yaml"));
  symlinkSync("../outside/inner", join(folder, "inner"));
  symlinkSync(".", join(folder, "circle"));
  expect(await input.start()).toEqual({ files: 2, objects: 2 });
  writeFileSync(join(top, "outside/a.yaml"), configMap("a", "2"));
  await has("a", "2");
  writeFileSync(join(top, "outside/inner/b.yaml"), configMap("b", "2"));
  await has("b", "2");
});

test("the folder itself may be switched to another version, and keeps its objects while it is away", async () => {
  write("a.yaml", configMap("a"));
  await input.start();
  renameSync(folder, join(top, "old"));
  await until(() => problems.has(""));
  mkdirSync(join(top, "new"));
  writeFileSync(join(top, "new/a.yaml"), configMap("a", "2"));
  renameSync(join(top, "new"), folder);
  await has("a", "2");
  await until(() => problems.get("")?.length === 0);
  save("a.yaml", configMap("a", "3"));
  await has("a", "3");
  expect(history).toEqual(["a=1", "a=2", "a=3"]);
});

test("many changes at once all arrive", async () => {
  await input.start();
  const names = Array.from({ length: 1_500 }, (_, index) => `m${index}`);
  for (const name of names) save(`${name}.yaml`, configMap(name));
  await until(() => objects.size === names.length);
  for (const name of names) rmSync(join(folder, `${name}.yaml`));
  await until(() => objects.size === 0);
});

test("a folder that is not there is a problem", async () => {
  const { objects: count, problems: found } = await loadDirectory(join(top, "absent"));
  expect(count).toBe(0);
  expect(found.map((problem) => problem.message)).toEqual([expect.stringContaining("is not a directory")]);
});

test("nothing is reported after stop", async () => {
  write("a.yaml", configMap("a"));
  await input.start();
  save("a.yaml", configMap("a", "2"));
  input.stop();
  await wait(30);
  expect(history).toEqual(["a=1"]);
});
