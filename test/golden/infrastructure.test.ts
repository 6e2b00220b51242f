import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { stringify } from "yaml";
import { type ClusterEnvironment, ENVOY_IMAGE, podTls } from "../../src/infra/kubernetes/environment.ts";
import { renderGateway } from "../../src/infra/kubernetes/render.ts";
import type { KubeObject } from "../../src/kube/resource-type.ts";
import { createPipeline } from "../../src/pipeline/pipeline.ts";
import { renderStatus } from "../../src/status/render.ts";
import { readCase } from "./run-case.ts";

/** Objects in, the objects that run Envoy out. `UPDATE_GOLDEN=1` writes what comes out; read the difference before you commit. */
const folder = join(import.meta.dirname, "infrastructure");

function environmentOf(inGatewayNamespace: boolean): ClusterEnvironment {
  return {
    namespace: "gatehouse-system",
    inGatewayNamespace,
    controlPlane: {
      address: { host: "gatehouse.gatehouse-system.svc.cluster.local", port: 18000 },
      tls: podTls("gatehouse.gatehouse-system.svc", inGatewayNamespace),
    },
    envoyImage: ENVOY_IMAGE,
    clusterDomain: "cluster.local",
    gatehouseImage: "example.com/gatehouse:v1",
  };
}

function runCase(text: string): object {
  const { batch, invalid } = readCase(text);
  const environment = environmentOf(text.includes("# GatewayNamespace"));
  const objects: Record<string, unknown[]> = {};
  const pipeline = createPipeline(
    {
      controllerNames: ["gatehouse.dev/gateway-controller"],
      hostInfrastructure: false,
      privilegedPortOffset: 10_000,
      controlPlane: environment.controlPlane,
    },
    {
      xds() {},
      statuses() {},
      infrastructure(changes) {
        for (const [key, gateway] of changes) {
          if (gateway !== undefined) {
            objects[key] = gateway.held ? ["held"] : renderGateway(gateway, environment).map(readable);
          }
        }
      },
    },
  );
  pipeline.stage(batch);
  pipeline.markSynced();
  pipeline.commitNow();
  pipeline.stop();
  const proxies = [...pipeline.statuses()].filter(([, report]) => report.kind === "EnvoyProxy");
  return {
    invalid,
    statuses: Object.fromEntries(proxies.map(([key, report]) => [key, renderStatus(report)])),
    objects,
  };
}

/** The bootstrap is a long argument in JSON: shown as the object that it is. */
function readable(object: KubeObject): unknown {
  return JSON.parse(JSON.stringify(object), (_, value: unknown) => {
    if (!Array.isArray(value) || !value.includes("--config-yaml")) return value;
    return value.map((item: unknown, index) =>
      value[index - 1] === "--config-yaml" ? JSON.parse(String(item)) : item,
    );
  });
}

test.each(readdirSync(folder).filter((name) => name.endsWith(".in.yaml")))("%s", (file) => {
  const text = readFileSync(join(folder, file), "utf8");
  const output = stringify(runCase(text), { lineWidth: 120, aliasDuplicateObjects: false });
  const expected = join(folder, file.replace(".in.yaml", ".out.yaml"));
  if (process.env["UPDATE_GOLDEN"]) writeFileSync(expected, output);
  expect(output).toBe(readFileSync(expected, "utf8"));
});
