import { expect, test } from "@jest/globals";
import { sortedMap } from "./any.ts";
import { adsConfigSource } from "./constants.ts";
import { Cluster } from "./generated/envoy/config/cluster/v3/cluster.ts";
import { ConfigSource } from "./generated/envoy/config/core/v3/config_source.ts";
import { encodeResource, resourceTypes, sameResource } from "./resource.ts";

test("the ConfigSource bytes are pinned for ever", () => {
  expect(Buffer.from(ConfigSource.encode(adsConfigSource).finish()).toString("hex")).toBe("1a003002");
});

test("a resource's version is the hash of its bytes", () => {
  const one = encodeResource(Cluster, "a", { name: "a", altStatName: "x" });
  const same = encodeResource(Cluster, "a", { name: "a", altStatName: "x" });
  const other = encodeResource(Cluster, "a", { name: "a", altStatName: "y" });
  expect(one.type).toBe(resourceTypes.cluster);
  expect(sameResource(one, same)).toBe(true);
  expect(sameResource(one, other)).toBe(false);
});

test("maps are canonical whatever the order of insertion", () => {
  expect(
    Object.keys(
      sortedMap([
        ["b", 1],
        ["a", 2],
      ]),
    ),
  ).toEqual(["a", "b"]);
});
