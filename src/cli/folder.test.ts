import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { openFolder, requireDirectory } from "./folder.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gatehouse-folder-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const pipeline = { stage() {}, notify() {}, markSynced() {} };

test("a thousand broken files are summed up at the start, and the rest is kept for those who ask", async () => {
  for (let i = 0; i < 1_000; i++) writeFileSync(join(directory, `${i}.yaml`), "a: [");
  const lines: string[] = [];
  const folder = await openFolder(directory, pipeline, (line) => lines.push(line));
  folder.close();
  expect(lines).toHaveLength(26);
  expect(lines[0]).toMatch(/^PROBLEM 0\.yaml:1:\d+: is not valid YAML/);
  expect(lines[25]).toBe(`        and 975 more; \`gatehouse status ${directory}\` lists all`);
  expect(folder.problems()).toHaveLength(1_000);
}, 30_000);

test("a directory that is none is an error that says what it is", async () => {
  const file = join(directory, "a.yaml");
  writeFileSync(file, "");
  await expect(requireDirectory(file)).rejects.toThrow(`${file} is a file; name the directory that holds it`);
  await expect(requireDirectory(`${file}.missing`)).rejects.toThrow("there is no directory");
  await expect(requireDirectory(directory)).resolves.toBeUndefined();
});
