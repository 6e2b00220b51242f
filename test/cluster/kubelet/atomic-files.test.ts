import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type TemporaryDirectory, temporaryDirectory } from "../../harness/directory.ts";
import { replaceFiles, type VolumeFile } from "./atomic-files.ts";

let temporary: TemporaryDirectory;

beforeEach(() => {
  temporary = temporaryDirectory();
});
afterEach(() => temporary.discard());

const file = (path: string, text: string, mode = 0o644): VolumeFile => ({ path, content: Buffer.from(text), mode });
const read = (path: string) => readFileSync(join(temporary.path, path), "utf8");

test("every name is a link into one version, which one rename replaces", () => {
  expect(replaceFiles(temporary.path, [file("a", "1"), file("deep/b", "1", 0o600)])).toBe(true);
  const first = readlinkSync(join(temporary.path, "..data"));
  expect(readlinkSync(join(temporary.path, "deep"))).toBe("..data/deep");
  expect(statSync(join(temporary.path, "deep/b")).mode & 0o777).toBe(0o600);

  expect(replaceFiles(temporary.path, [file("a", "2"), file("c", "2")])).toBe(true);
  expect([read("a"), read("c")]).toEqual(["2", "2"]);
  const present = readdirSync(temporary.path);
  expect(present).not.toContain("deep");
  expect(present).not.toContain(first);
});

test("what is the same already is left alone", () => {
  replaceFiles(temporary.path, [file("a", "1")]);
  const version = readlinkSync(join(temporary.path, "..data"));
  expect(replaceFiles(temporary.path, [file("a", "1")])).toBe(false);
  expect(readlinkSync(join(temporary.path, "..data"))).toBe(version);
  expect(replaceFiles(temporary.path, [])).toBe(true);
  expect(readdirSync(temporary.path)).not.toContain("a");
});
