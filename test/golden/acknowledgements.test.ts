import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import type { ResourceChange } from "../../src/envoy/resource.ts";
import { resourceTypes } from "../../src/envoy/resource.ts";
import { createPipeline } from "../../src/pipeline/pipeline.ts";
import { renderStatus } from "../../src/status/render.ts";
import { readCase } from "./run-case.ts";
import { ordinarySettings } from "./scenario.ts";

const GATEWAY = "default/web";

/** The quickstart with an Envoy that comes, answers and goes as the test says. */
function createQuickstart() {
  const listeners: ResourceChange[] = [];
  const pipeline = createPipeline(ordinarySettings, {
    xds: (changes) => listeners.push(...changes.filter(({ type }) => type === resourceTypes.listener)),
    statuses() {},
    infrastructure() {},
  });
  pipeline.stage(readCase(readFileSync(join(import.meta.dirname, "cases/quickstart.in.yaml"), "utf8")).batch);
  pipeline.markSynced();
  pipeline.sources.addresses.set(GATEWAY, [{ type: "IPAddress", value: "127.0.0.1" }]);
  pipeline.commitNow();
  const [listener] = listeners;
  return {
    pipeline,
    connect: (connected: number) => pipeline.setConnected(GATEWAY, connected),
    answer(accepted: boolean, version = listener?.resource?.version ?? "") {
      const verdict = accepted ? { accepted } : { accepted, error: "no" };
      pipeline.acknowledge({
        gateway: GATEWAY,
        type: resourceTypes.listener,
        name: "default/web/http",
        version,
        ...verdict,
      });
    },
    programmed(): string {
      pipeline.commitNow();
      const report = new Map(pipeline.statuses()).get(`Gateway/${GATEWAY}`);
      const status = report && renderStatus(report);
      if (status === undefined || !("conditions" in status)) throw new Error("no status");
      const found = status.conditions.find(({ type }) => type === "Programmed");
      return `${found?.status}/${found?.reason}`;
    },
  };
}

test("Programmed is what the Envoy that is connected now has acknowledged", () => {
  const { pipeline, connect, answer, programmed } = createQuickstart();
  expect(programmed()).toBe("False/NoResources");
  connect(1);
  expect(programmed()).toBe("False/Pending");
  answer(true, "another version");
  expect(programmed()).toBe("False/Pending");
  answer(true);
  expect(programmed()).toBe("True/Programmed");
  connect(0);
  expect(programmed()).toBe("False/NoResources");
  // Another Envoy in its place has not said anything yet.
  connect(1);
  expect(programmed()).toBe("False/Pending");
  answer(false);
  expect(programmed()).toBe("False/Invalid");
  answer(true);
  expect(programmed()).toBe("True/Programmed");
  pipeline.stop();
});
