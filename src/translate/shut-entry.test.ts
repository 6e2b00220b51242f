import { expect, test } from "@jest/globals";
import { Route } from "../envoy/generated/envoy/config/route/v3/route_components.ts";
import type { RouteEntry } from "./route-order.ts";
import { shutEntry } from "./shut-entry.ts";

test("who matches it is answered with 500 and reaches no backend", () => {
  const match = { prefix: "/a", headers: [{ name: "x", presentMatch: true }] };
  const bytes = Route.encode({ name: "n", match, route: { cluster: "c", timeout: { seconds: 1 } } }).finish();
  const shut = shutEntry({ bytes, clusters: ["c"], hash: "h", counts: true } as unknown as RouteEntry);
  expect(Route.decode(shut.bytes)).toEqual(
    Route.decode(Route.encode({ name: "n", match, directResponse: { status: 500 } }).finish()),
  );
  expect(shut).toMatchObject({ clusters: [], hash: expect.not.stringMatching(/^h$/) });
  expect(shut.counts).toBeUndefined();
});
