import { expect, test } from "@jest/globals";
import type { EnvoyProxySpec } from "../api/envoyproxy.ts";
import { judgeFilterOrder, orderFilters } from "./filter-order.ts";

type Moves = NonNullable<EnvoyProxySpec["filterOrder"]>;
const at = (name: string) => `envoy.filters.http.${name}` as Moves[number]["name"];
const before = (name: string, target: string) => ({ name: at(name), before: at(target) });
const after = (name: string, target: string) => ({ name: at(name), after: at(target) });

test("moves are applied one after the other", () => {
  const order = orderFilters([before("wasm", "cors"), after("cors", "rbac"), before("fault", "wasm")]).map((name) =>
    name.slice(19),
  );
  expect(order.slice(0, 5)).toEqual(["custom_response", "health_check", "fault", "wasm", "csrf"]);
  expect(order.indexOf("cors")).toBe(order.indexOf("rbac") + 1);
  expect(new Set(order)).toEqual(new Set(orderFilters().map((name) => name.slice(19))));
});

test.each<[string, Moves, string | undefined]>([
  ["none", [], undefined],
  ["a chain", [before("wasm", "cors"), after("rbac", "cors"), before("wasm", "rbac")], undefined],
  ["itself", [before("wasm", "wasm")], "spec.filterOrder[0]"],
  ["two ways", [before("wasm", "cors"), after("wasm", "cors")], "spec.filterOrder[1]"],
  ["a circle", [before("wasm", "cors"), before("cors", "rbac"), after("wasm", "rbac")], "spec.filterOrder[2]"],
])("contradictions are found: %s", (_, moves, field) => {
  expect(judgeFilterOrder(moves)[0]?.field).toBe(field);
});
