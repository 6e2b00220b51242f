import { describe, expect, test } from "@jest/globals";
import { readWatchScope } from "./watch-scope.ts";

describe("the configuration of what to watch", () => {
  test.each([
    [undefined, { type: "All" }],
    [
      {
        type: "NamespaceSelector",
        namespaceSelector: {
          matchExpressions: [
            { key: "a", operator: "Exists" },
            { key: "b", operator: "DoesNotExist" },
            { key: "c", operator: "In", values: ["x", "y"] },
          ],
        },
      },
      { type: "NamespaceSelector", selector: "a,!b,c in (x,y)" },
    ],
  ])("%j", (mode, scope) => {
    expect(readWatchScope(mode)).toEqual(scope);
  });

  test.each([
    [{ type: "Namespaces" }, "namespaces"],
    [{ type: "NamespaceSelector" }, "namespaceSelector"],
    [{ type: "Everything" }, "type"],
    [
      { type: "NamespaceSelector", namespaceSelector: { matchExpressions: [{ key: "a", operator: "Is" }] } },
      "operator Is",
    ],
    [
      { type: "NamespaceSelector", namespaceSelector: { matchExpressions: [{ key: "a", operator: "In" }] } },
      "at least one value",
    ],
  ])("%j is refused", (mode, why) => {
    expect(() => readWatchScope(mode)).toThrow(why);
  });
});
