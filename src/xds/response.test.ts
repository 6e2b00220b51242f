import { expect, test } from "@jest/globals";
import { DeltaDiscoveryResponse, DiscoveryResponse } from "../envoy/generated/envoy/service/discovery/v3/discovery.ts";
import type { EncodedResource } from "../envoy/resource.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { createResponseMemory, encodeDeltaResponse, encodeDiscoveryResponse } from "./response.ts";

function resource(name: string, ...chunks: readonly Uint8Array[]): EncodedResource {
  return {
    type: resourceTypes.route,
    name,
    version: `version of ${name}`,
    chunks,
    byteLength: chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0),
    dependents: [],
    clusters: [],
  };
}

const resources = [
  resource("one chunk", Buffer.from([10, 1, 65])),
  resource("several chunks", Buffer.alloc(100, 1), Buffer.alloc(0), Buffer.alloc(200, 2)),
  resource("empty"),
  resource("naïve/日本", Buffer.alloc(127, 3)),
  resource("longer than two lengths of a varint", Buffer.alloc(20_000, 4)),
  resource("large", Buffer.alloc(3_000_000, 5)),
];
const bytesOf = ({ chunks }: EncodedResource) => Buffer.concat(chunks);

test("a delta response has the bytes of the generated encoder", () => {
  const response = { type: resourceTypes.route, nonce: "17", resources, removed: ["gone", "ü"] };
  const expected = DeltaDiscoveryResponse.encode({
    typeUrl: resourceTypes.route,
    nonce: "17",
    removedResources: ["gone", "ü"],
    resources: resources.map((each) => ({
      name: each.name,
      version: each.version,
      resource: { typeUrl: each.type, value: bytesOf(each) },
    })),
  }).finish();
  expect(encodeDeltaResponse(response).equals(expected)).toBe(true);
  const memory = createResponseMemory();
  for (const _ of [1, 2]) expect(encodeDeltaResponse(response, memory).equals(expected)).toBe(true);
});

test("an empty delta response has the bytes of the generated encoder", () => {
  const response = { type: resourceTypes.cluster, nonce: "1", resources: [], removed: [] };
  const expected = DeltaDiscoveryResponse.encode({ typeUrl: resourceTypes.cluster, nonce: "1" }).finish();
  expect(encodeDeltaResponse(response).equals(expected)).toBe(true);
});

test("a response of the whole state has the bytes of the generated encoder", () => {
  const expected = DiscoveryResponse.encode({
    versionInfo: "v",
    typeUrl: resourceTypes.route,
    nonce: "2",
    resources: resources.map((each) => ({ typeUrl: each.type, value: bytesOf(each) })),
  }).finish();
  expect(encodeDiscoveryResponse(resourceTypes.route, "v", "2", resources).equals(expected)).toBe(true);
});

test("a resource whose length is stated wrongly is never written", () => {
  const broken = { ...resource("broken", Buffer.alloc(5)), byteLength: 9 };
  expect(() => encodeDeltaResponse({ type: broken.type, nonce: "1", resources: [broken], removed: [] })).toThrow(
    "planned",
  );
});
