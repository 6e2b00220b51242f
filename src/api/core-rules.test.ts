import { describe } from "@jest/globals";
import { type Content, objectOf, service, testRules } from "./objects.test-support.ts";

const slice = (content: Content) =>
  objectOf("discovery.k8s.io/v1", "EndpointSlice", { addressType: "IPv4", endpoints: [], ...content });

describe("rules of Kubernetes kinds", () => {
  testRules([
    ["Service port range", service({ port: 80 }), service({ port: 0 }), "spec.ports[0].port: must be from 1"],
    [
      "Service port names",
      service({ name: "a", port: 80 }, { name: "b", port: 81 }),
      service({ port: 80 }, { name: "b", port: 81 }),
      "spec.ports[0].name: is required",
    ],
    [
      "Service port names differ",
      service({ name: "a", port: 80 }),
      service({ name: "a", port: 80 }, { name: "a", port: 81 }),
      "spec.ports[1]: has the name of port 0",
    ],
    [
      "slice addresses",
      slice({ endpoints: [{ addresses: ["10.0.0.1"] }] }),
      slice({ endpoints: [{ addresses: ["::1"] }] }),
      "endpoints[0].addresses[0]: must be an address of type IPv4",
    ],
  ]);
});
