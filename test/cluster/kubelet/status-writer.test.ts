import { expect, test } from "@jest/globals";
import type { Rest } from "../rest.ts";
import type { Pod, PodStatus } from "./objects.ts";
import { createStatusWriter } from "./status-writer.ts";

const pod = { metadata: { name: "p", namespace: "n", uid: "u" } } as Pod;

/** Answers as told, one after the other, then 200; a real API server cannot be told to conflict. */
function recorder(answers: (number | Error)[] = []) {
  const written: PodStatus[] = [];
  const ask: Rest["ask"] = async (_, options) => {
    const answer = answers.shift() ?? 200;
    if (answer instanceof Error) throw answer;
    if (answer === 200) written.push((options!.body as { status: PodStatus }).status);
    return { status: answer, body: "" };
  };
  return { written, writer: createStatusWriter({ ask } as Rest, pod) };
}

const pending: PodStatus = { phase: "Pending" };
const running: PodStatus = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };

test("the same status again is not written, and the next one is", async () => {
  const { written, writer } = recorder();
  writer.write(pending);
  await writer.settle();
  writer.write({ ...pending });
  await writer.settle();
  writer.write(running);
  await writer.settle();
  expect(written).toEqual([pending, running]);
});

test("of many statuses only the newest waits for its turn", async () => {
  const { written, writer } = recorder();
  for (const phase of ["Pending", "Running", "Failed", "Succeeded"] as const) writer.write({ phase });
  await writer.settle();
  expect(written).toEqual([{ phase: "Pending" }, { phase: "Succeeded" }]);
});

test("an outage and a conflict are waited out", async () => {
  const { written, writer } = recorder([new Error("connection refused"), 503, 409]);
  writer.write(running);
  await writer.settle();
  expect(written).toEqual([running]);
});

test("a status that contradicts ours is overwritten, one that adds to it is not", async () => {
  const { written, writer } = recorder();
  writer.write(running);
  await writer.settle();
  writer.correct({ ...running, conditions: [...running.conditions!, { type: "Scheduled", status: "True" }] });
  await writer.settle();
  expect(written).toHaveLength(1);
  writer.correct({ ...running, conditions: [{ type: "Ready", status: "False" }] });
  await writer.settle();
  expect(written).toEqual([running, running]);
});
