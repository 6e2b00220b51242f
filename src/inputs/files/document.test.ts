import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { stringify } from "yaml";
import { readDocument, splitDocuments } from "./document.ts";
import { createLocator, readYaml } from "./yaml-text.ts";

describe("splitDocuments", () => {
  const linesOf = (text: string) => splitDocuments(text).map((document) => document.line);

  test("keeps the line on which each document begins", () => {
    expect(linesOf("a: 1\n---\nb: 1\n--- {c: 1}\n---\nd: 1\n")).toEqual([1, 2, 4, 5]);
  });

  test("leaves out documents without content", () => {
    expect(linesOf("")).toEqual([]);
    expect(linesOf("\n# comment\n---\n---  # another\n\n---\na: 1\n---\n")).toEqual([6]);
  });

  test("does not split at what only looks like a separator", () => {
    expect(linesOf("a: |\n  ---\n  b\nc: x---y\n----\n")).toHaveLength(1);
  });

  test("accepts the line ends of Windows and a byte order mark", () => {
    expect(splitDocuments("\uFEFFa: 1\r\n---\r\nb: 2\r\n").map(({ text }) => readYaml(text))).toEqual([
      { value: { a: 1 } },
      { value: { b: 2 } },
    ]);
  });

  test("joined again, the documents are the file", () => {
    const text = "a: 1\n---\nb: 1\n--- {c: 1}\n";
    expect(
      splitDocuments(text)
        .map((document) => document.text)
        .join(""),
    ).toBe(text);
  });
});

describe("readYaml", () => {
  test("says where a text is not YAML", () => {
    const { problems } = readYaml("a:\n  - b: [1\n");
    expect(problems?.[0]).toMatchObject({ line: 3, message: expect.stringContaining("is not valid YAML") });
  });

  test("refuses a repeated key, in JSON too", () => {
    expect(readYaml("a: 1\na: 2\n").problems).toHaveLength(1);
    expect(readYaml('{"a": 1, "a": 2}').problems).toHaveLength(1);
  });

  test("follows aliases, merges included, but not without limit", () => {
    expect(readYaml("a: &x {b: 1}\nc:\n  <<: *x\n  d: *x\n")).toEqual({
      value: { a: { b: 1 }, c: { b: 1, d: { b: 1 } } },
    });
    const bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
    for (let level = 1; level < 9; level++) {
      bomb.push(
        `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join()}]`,
      );
    }
    expect(readYaml(bomb.join("\n")).problems).toHaveLength(1);
  });

  test("takes words and times as strings, as YAML 1.2 does", () => {
    expect(readYaml("a: on\nb: 2026-01-01T00:00:00Z\n")).toEqual({ value: { a: "on", b: "2026-01-01T00:00:00Z" } });
  });

  test("reads what another library writes, block and flow style alike", () => {
    const key = fc.string({ unit: "grapheme", maxLength: 8 }).filter((text) => text !== "__proto__");
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.string({ unit: "grapheme" }),
        fc.integer(),
        fc.boolean(),
        tie("list"),
        tie("map"),
      ),
      list: fc.array(tie("value"), { maxLength: 4 }),
      map: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    }));
    const style = fc.constantFrom("any", "block", "flow") satisfies fc.Arbitrary<string>;
    fc.assert(
      fc.property(value, style, (content, collectionStyle) => {
        const text = stringify({ content }, { collectionStyle, aliasDuplicateObjects: false, version: "1.2" });
        expect(readYaml(text)).toEqual({ value: { content: JSON.parse(JSON.stringify(content)) } });
      }),
    );
  });

  test("reads JSON", () => {
    expect(readYaml('{"a": [1, {"b": null}], "c": "\\u00e4\\/"}')).toEqual({ value: { a: [1, { b: null }], c: "ä/" } });
  });
});

test("a locator finds keys, items and, for what is absent, the nearest parent", () => {
  const locate = createLocator("a:\n  - b: 1\n  - c: {d: 2}\n");
  expect(locate(["a", 1, "c", "d"])).toEqual({ line: 3, column: 9 });
  expect(locate(["a", 0])).toEqual({ line: 2, column: 5 });
  expect(locate(["a", 1, "c", "x", "y"])).toEqual({ line: 3, column: 5 });
  expect(locate([])).toEqual({ line: 1, column: 1 });
});

describe("readDocument", () => {
  const service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n    - prt: 1\n";

  test("a problem carries line, column and field", () => {
    const [entry] = readDocument(`# a comment\n${service}`, "").entries;
    expect(entry).toMatchObject({ id: "services default/a", name: "Service default/a" });
    expect(entry?.object).toBeUndefined();
    expect(entry?.problems[0]).toMatchObject({ severity: "error", line: 7, column: 7, field: "spec.ports[0].prt" });
  });

  test("an object that is wrong in every line is told in a bounded number of them", () => {
    const lines = Array.from({ length: 1_000 }, (_, index) => `  k${index}: 1\n`).join("");
    const [entry] = readDocument(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n${lines}`, "").entries;
    expect(entry?.problems).toHaveLength(21);
    expect(entry?.problems.at(-1)).toMatchObject({ line: 1, message: "and 980 more problems" });
  });

  test("the items of a List are objects of their own", () => {
    const list = {
      apiVersion: "v1",
      kind: "List",
      items: [
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } },
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" }, data: { x: 1 } },
      ],
    };
    const { entries } = readDocument(JSON.stringify(list, undefined, 1), "");
    expect(entries.map((entry) => entry.id)).toEqual(["configMaps default/a", "configMaps default/b"]);
    expect(entries[1]?.problems[0]).toMatchObject({ field: "items[1].data.x", line: 19 });
  });

  test("a kind that is not read is a warning", () => {
    const [entry] = readDocument("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n", "").entries;
    expect(entry?.unreadable).toBeUndefined();
    expect(entry?.problems[0]).toMatchObject({ severity: "warning", line: 2, field: "kind" });
  });

  test("a document that does not tell what it is about is unreadable", () => {
    expect(readDocument("just text", "").entries).toMatchObject([{ unreadable: true }]);
    expect(readDocument("a: [", "").entries).toMatchObject([{ unreadable: true }]);
  });

  test("the first line of content is known", () => {
    expect(readDocument("---\n# comment\n\nkind: x\n", "").firstLine).toBe(4);
    expect(readDocument("--- {kind: x}\n", "").firstLine).toBe(1);
  });
});
