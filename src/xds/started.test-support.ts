import type { EncodedResource } from "../envoy/resource.ts";
import type { XdsLimits } from "./limits.ts";
import type { ModelEnvoy } from "./model-envoy.test-support.ts";
import { createModelEnvoy } from "./model-envoy.test-support.ts";
import type { Simulation } from "./simulation.test-support.ts";
import { createSimulation } from "./simulation.test-support.ts";
import type { World } from "./world.test-support.ts";
import { cluster, endpoints, listener, secret, table, world } from "./world.test-support.ts";

export const base = world(
  cluster("a"),
  endpoints("a"),
  secret("cert"),
  listener("web", { routes: ["main"], secrets: ["cert"] }),
  table("main", ["a"]),
);

export function started(
  initial: World,
  envoy: ModelEnvoy = createModelEnvoy(),
  limits: Partial<XdsLimits> = {},
): Simulation & { envoy: ModelEnvoy } {
  const simulation = createSimulation(envoy, limits);
  simulation.publish(initial);
  simulation.settle();
  simulation.sent.length = 0;
  return Object.assign(simulation, { envoy });
}

export function withResources(from: World, ...resources: readonly EncodedResource[]): World {
  return new Map([...from, ...world(...resources)]);
}

export function without(from: World, ...keys: readonly string[]): World {
  return new Map([...from].filter(([key]) => !keys.includes(key)));
}
