import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import type { ResourceChange } from "../../src/envoy/resource.ts";
import { resourceTypes } from "../../src/envoy/resource.ts";
import { createPipeline, type PipelineOutputs } from "../../src/pipeline/pipeline.ts";
import type { ReplicaNews } from "../../src/pipeline/replicas.ts";
import { renderStatus } from "../../src/status/render.ts";
import { pause } from "../harness/waiting.ts";
import { readCase } from "./run-case.ts";
import { ordinarySettings } from "./scenario.ts";

const GATEWAY = "default/web";

/** The quickstart with an Envoy that comes, answers and goes as the test says. */
function createQuickstart(absenceMilliseconds = 0) {
  const listeners: ResourceChange[] = [];
  const outputs: PipelineOutputs = {
    xds: (changes) => listeners.push(...changes.filter(({ type }) => type === resourceTypes.listener)),
    statuses() {},
    infrastructure() {},
  };
  const pipeline = createPipeline(ordinarySettings, outputs, { absenceMilliseconds });
  pipeline.stage(readCase(readFileSync(join(import.meta.dirname, "cases/quickstart.in.yaml"), "utf8")).batch);
  pipeline.markSynced();
  pipeline.sources.addresses.set(GATEWAY, [{ type: "IPAddress", value: "127.0.0.1" }]);
  pipeline.commitNow();
  const [listener] = listeners;
  return {
    pipeline,
    answer(node: string, accepted: boolean, version = listener?.resource?.version ?? "") {
      const verdict = accepted ? { accepted } : { accepted, error: `no, says ${node}` };
      const name = "default/web/http";
      pipeline.own.answered({ gateway: GATEWAY, node, type: resourceTypes.listener, name, version, ...verdict });
    },
    words: () => JSON.stringify([...pipeline.statuses()].map(([, report]) => renderStatus(report))),
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
  const { pipeline, answer, programmed } = createQuickstart();
  expect(programmed()).toBe("False/NoResources");
  pipeline.own.connected(GATEWAY, "a");
  expect(programmed()).toBe("False/Pending");
  answer("a", true, "another version");
  expect(programmed()).toBe("False/Pending");
  answer("a", true);
  expect(programmed()).toBe("True/Programmed");
  pipeline.own.left(GATEWAY, "a");
  expect(programmed()).toBe("False/NoResources");
  // Another Envoy in its place has not said anything yet.
  pipeline.own.connected(GATEWAY, "b");
  expect(programmed()).toBe("False/Pending");
  answer("b", false);
  expect(programmed()).toBe("False/Invalid");
  answer("b", true);
  expect(programmed()).toBe("True/Programmed");
  pipeline.stop();
});

test("all Envoys count that serve: one that has not what it should, and the words of one that refuses", () => {
  const { pipeline, answer, programmed, words } = createQuickstart();
  pipeline.own.connected(GATEWAY, "a");
  pipeline.own.connected(GATEWAY, "b");
  answer("a", true);
  // A new one, as in a rollout: its pod is not ready before it has said something.
  expect(programmed()).toBe("True/Programmed");
  answer("b", true, "another version");
  expect(programmed()).toBe("False/Pending");
  answer("b", false);
  expect(programmed()).toBe("False/Invalid");
  expect(words()).toContain("no, says b");
  answer("a", true);
  expect(programmed()).toBe("False/Invalid");
  answer("b", true);
  expect(programmed()).toBe("True/Programmed");
  answer("b", false);
  pipeline.own.left(GATEWAY, "b");
  expect(programmed()).toBe("True/Programmed");
  expect(words()).not.toContain("no, says b");
  pipeline.stop();
});

test("after a refused edit is taken back the Envoy has what it should, although nothing was sent to it again", () => {
  const { pipeline, answer, programmed } = createQuickstart();
  pipeline.own.connected(GATEWAY, "a");
  answer("a", true);
  answer("a", false, "an edit");
  expect(programmed()).toBe("True/Programmed");
  pipeline.stop();
});

test("an Envoy that loses its stream counts for a while, and what it had before it comes back counts until it says it anew", async () => {
  const { pipeline, answer, programmed } = createQuickstart(100);
  pipeline.own.connected(GATEWAY, "a");
  answer("a", true);
  pipeline.own.left(GATEWAY, "a");
  expect(programmed()).toBe("True/Programmed");
  pipeline.own.connected(GATEWAY, "a");
  expect(programmed()).toBe("True/Programmed");
  // It was started anew under the same name and has no listener.
  pipeline.own.listenersStated(GATEWAY, "a");
  expect(programmed()).toBe("False/Pending");
  answer("a", true);
  pipeline.own.left(GATEWAY, "a");
  await pause(200);
  expect(programmed()).toBe("False/NoResources");
  pipeline.stop();
});

test("Envoys of another replica count like own ones, wherever they go", async () => {
  const { pipeline, answer, programmed } = createQuickstart(100);
  const other = createQuickstart();
  const told: ReplicaNews[] = [];
  const nothing = { envoys: [], gone: [], verdicts: [], accepted: [] };
  expect(other.pipeline.replicas.listen((news) => told.push(news)).all).toEqual(nothing);
  const pass = (complete = false) => {
    other.pipeline.commitNow();
    for (const news of told.splice(0)) pipeline.replicas.told("other", news, { complete });
  };
  other.pipeline.own.connected(GATEWAY, "a");
  pass();
  expect(programmed()).toBe("False/Pending");
  other.answer("a", true);
  pass();
  expect(programmed()).toBe("True/Programmed");
  // It moves to this replica, which hears of it first.
  pipeline.own.connected(GATEWAY, "a");
  answer("a", true);
  pipeline.own.listenersStated(GATEWAY, "a");
  other.pipeline.own.left(GATEWAY, "a");
  pass();
  await pause(200);
  expect(programmed()).toBe("True/Programmed");
  // And back, and the other replica ends.
  pipeline.own.left(GATEWAY, "a");
  other.pipeline.own.connected(GATEWAY, "a");
  other.answer("a", true);
  pass();
  await pause(200);
  expect(programmed()).toBe("True/Programmed");
  pipeline.replicas.lost("other");
  expect(programmed()).toBe("True/Programmed");
  await pause(200);
  expect(programmed()).toBe("False/NoResources");
  other.pipeline.stop();
  pipeline.stop();
});
