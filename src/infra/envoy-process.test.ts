import { expect, test } from "@jest/globals";
import { buildBootstrap } from "../translate/bootstrap.ts";
import { launchFingerprint } from "./envoy-process.ts";

test("the fingerprint tells launches apart and is stable for equal ones", () => {
  const xds = { address: { unixPath: "/run/xds.sock" } };
  const of = (binary: string, concurrency: string, cluster: string) => {
    const bootstrap = buildBootstrap({ node: { id: "a", cluster }, xds, admin: { port: 0 } });
    return launchFingerprint(binary, ["--concurrency", concurrency], bootstrap);
  };
  expect(of("envoy", "2", "a/b")).toBe(of("envoy", "2", "a/b"));
  expect(
    new Set([of("envoy", "2", "a/b"), of("x", "2", "a/b"), of("envoy", "1", "a/b"), of("envoy", "2", "a/c")]).size,
  ).toBe(4);
});
