import { describe, expect, test } from "@jest/globals";
import { createFolderState } from "./folder-state.ts";
import { formatInputProblem } from "./problem.ts";

const configMap = (name: string, value = "1", labels = "{}") =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, labels: ${labels}}\ndata: {x: "${value}"}\n`;
const invalid = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {x: 1}\n`;

function createFolder() {
  const state = createFolderState();
  let now = 0;
  const changes = () => {
    const batch = state.takeBatch() ?? {};
    return [...(batch.configMaps ?? [])].map(([key, object]) => {
      const data = (object as { data?: { x?: string } } | undefined)?.data?.x;
      return object ? `${key} x=${data} g=${object.metadata.generation}` : `${key} gone`;
    });
  };
  return {
    state,
    /** Updates a file and tells what changed at once. */
    set(file: string, content: string | undefined | { error: string }) {
      state.update(file, content, ++now);
      return changes();
    },
    /** Lets what is gone be removed. */
    settle() {
      state.settleRemovals(now);
      return changes();
    },
    problems: () =>
      [...state.takeProblems()].flatMap(([file, list]) =>
        list.length ? list.map(formatInputProblem) : [`${file} solved`],
      ),
  };
}

describe("changes", () => {
  test("an object's generation rises with its content, not with its metadata", () => {
    const folder = createFolder();
    expect(folder.set("a.yaml", configMap("a"))).toEqual(["default/a x=1 g=1"]);
    expect(folder.set("a.yaml", configMap("a", "2"))).toEqual(["default/a x=2 g=2"]);
    expect(folder.set("a.yaml", configMap("a", "2", "{l: v}"))).toEqual(["default/a x=2 g=2"]);
    expect(folder.set("a.yaml", configMap("a", "1", "{l: v}"))).toEqual(["default/a x=1 g=3"]);
  });

  test("a comment, another form of the same content, and a move to another file change nothing", () => {
    const folder = createFolder();
    folder.set("a.yaml", configMap("a"));
    expect(folder.set("a.yaml", `# why\n${configMap("a")}`)).toEqual([]);
    const json = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { x: "1" } };
    expect(folder.set("a.yaml", JSON.stringify(json))).toEqual([]);
    expect(folder.set("a.yaml", undefined)).toEqual([]);
    expect(folder.set("b.yaml", configMap("a"))).toEqual([]);
    expect(folder.settle()).toEqual([]);
  });

  test("only the documents of a file that changed are handed on", () => {
    const folder = createFolder();
    folder.set("a.yaml", [configMap("a"), configMap("b"), configMap("c")].join("---\n"));
    const mixed = [configMap("c"), configMap("a"), configMap("b", "2")].join("---\n");
    expect(folder.set("a.yaml", mixed)).toEqual(["default/b x=2 g=2"]);
    folder.set("a.yaml", [configMap("c"), configMap("b", "2")].join("---\n"));
    expect(folder.settle()).toEqual(["default/a gone"]);
  });

  test("an object is gone only when its absence has lasted", () => {
    const folder = createFolder();
    folder.set("a.yaml", configMap("a"));
    expect(folder.set("a.yaml", "")).toEqual([]);
    expect(folder.set("a.yaml", configMap("a", "2"))).toEqual(["default/a x=2 g=2"]);
    expect(folder.settle()).toEqual([]);
    expect(folder.set("a.yaml", undefined)).toEqual([]);
    const marked = folder.state.oldestRemoval();
    folder.state.settleRemovals((marked ?? 0) - 1);
    expect(folder.state.oldestRemoval()).toBe(marked);
    expect(folder.settle()).toEqual(["default/a gone"]);
    expect(folder.state.oldestRemoval()).toBeUndefined();
  });
});

describe("invalid objects", () => {
  const keeps = "(the previous version stays in use)";

  test("one is absent from the start, and costs no other", () => {
    const folder = createFolder();
    expect(folder.set("a.yaml", `${configMap("a")}---\n${invalid("b")}`)).toEqual(["default/a x=1 g=1"]);
    expect(folder.problems()).toEqual([
      "a.yaml:9:8: ConfigMap default/b: data.x: must be a string (numbers and words like true need quotes in YAML)",
    ]);
  });

  test("one that was valid stays as it was, until it is valid again or removed", () => {
    const folder = createFolder();
    folder.set("a.yaml", configMap("a"));
    expect(folder.set("a.yaml", invalid("a"))).toEqual([]);
    expect(folder.settle()).toEqual([]);
    expect(folder.problems()[0]).toContain(keeps);
    expect(folder.set("a.yaml", configMap("a", "2"))).toEqual(["default/a x=2 g=2"]);
    expect(folder.problems()).toEqual(["a.yaml solved"]);
    folder.set("a.yaml", invalid("a"));
    folder.set("a.yaml", undefined);
    expect(folder.settle()).toEqual(["default/a gone"]);
  });

  test("while a document cannot be read at all, nothing of its file disappears", () => {
    const folder = createFolder();
    folder.set("a.yaml", `${configMap("a")}---\n${configMap("b")}`);
    expect(folder.set("a.yaml", `${configMap("a", "2")}---\nkind: [\n`)).toEqual(["default/a x=2 g=2"]);
    expect(folder.settle()).toEqual([]);
    expect(folder.problems()[0]).toMatch(/^a\.yaml:7:1: is not valid YAML: .*\(the previous version stays in use\)$/);
    folder.set("a.yaml", configMap("a", "2"));
    expect(folder.settle()).toEqual(["default/b gone"]);
    expect(folder.problems()).toEqual(["a.yaml solved"]);
  });

  test("nothing is said to stay in use where nothing was", () => {
    const folder = createFolder();
    expect(folder.set("a.yaml", `${configMap("a")}---\nkind: [\n`)).toEqual(["default/a x=1 g=1"]);
    expect(folder.problems()[0]).not.toContain(keeps);
  });

  test("a file that cannot be read keeps its objects", () => {
    const folder = createFolder();
    folder.set("a.yaml", configMap("a"));
    folder.set("a.yaml", { error: "cannot be read: no permission" });
    expect(folder.settle()).toEqual([]);
    expect(folder.problems()).toEqual([`a.yaml:1:1: cannot be read: no permission ${keeps}`]);
    expect(folder.set("a.yaml", configMap("a"))).toEqual([]);
    expect(folder.problems()).toEqual(["a.yaml solved"]);
  });
});

describe("an object defined twice", () => {
  test("the first in the order of paths counts, whichever was read first, and the second follows it", () => {
    const folder = createFolder();
    expect(folder.set("b.yaml", configMap("a", "b"))).toEqual(["default/a x=b g=1"]);
    expect(folder.set("a.yaml", `# comment\n${configMap("a", "a")}`)).toEqual(["default/a x=a g=2"]);
    expect(folder.problems()).toEqual([
      "b.yaml:1:1: ConfigMap default/a: is also defined at a.yaml:2, which comes first: remove or rename one of the two",
    ]);
    expect(folder.set("a.yaml", undefined)).toEqual(["default/a x=b g=3"]);
    expect(folder.problems()).toEqual(["b.yaml solved"]);
  });

  test("in one file the first document counts", () => {
    const folder = createFolder();
    const twice = `${configMap("a")}---\n${configMap("a", "2")}`;
    expect(folder.set("a.yaml", twice)).toEqual(["default/a x=1 g=1"]);
    expect(folder.problems()).toEqual([
      expect.stringContaining("a.yaml:6:1: ConfigMap default/a: is also defined at a.yaml:1"),
    ]);
    expect(folder.set("a.yaml", configMap("a", "2"))).toEqual(["default/a x=2 g=2"]);
  });
});

describe("namespaces", () => {
  const labelsOf = (state: ReturnType<typeof createFolderState>) =>
    Object.fromEntries(
      [...(state.takeBatch()?.namespaces ?? [])].map(([name, object]) => [name, object?.metadata.labels]),
    );
  const inNamespace = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: n}\n";
  const namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: n, labels: {team: red}}\n";
  const nameLabel = (name: string) => ({ "kubernetes.io/metadata.name": name });

  test("one that has objects exists, with its own labels once it is defined", () => {
    const state = createFolderState();
    expect(labelsOf(state)).toEqual({ default: nameLabel("default") });
    state.update("a.yaml", inNamespace, 0);
    expect(labelsOf(state)).toEqual({ n: nameLabel("n") });
    state.update("b.yaml", namespace, 0);
    expect(labelsOf(state)).toEqual({ n: { ...nameLabel("n"), team: "red" } });
    state.update("b.yaml", undefined, 1);
    state.settleRemovals(1);
    expect(labelsOf(state)).toEqual({ n: nameLabel("n") });
    state.update("a.yaml", undefined, 2);
    state.settleRemovals(2);
    expect(labelsOf(state)).toEqual({ n: undefined });
  });

  test("one that is defined before it has objects keeps its labels", () => {
    const state = createFolderState();
    state.update("a.yaml", `${namespace}---\n${inNamespace}`, 0);
    expect(labelsOf(state)).toMatchObject({ n: { team: "red" } });
    state.update("a.yaml", namespace, 1);
    state.settleRemovals(1);
    expect(labelsOf(state)).toEqual({});
  });
});
