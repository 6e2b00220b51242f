import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { waitFor } from "../harness/waiting.ts";
import { measureQuickstart } from "./quickstart.ts";
import { START_LIMIT_MS, STEP_LIMIT_MS, startWorld, type World } from "./world.ts";

/** From nothing to the first answer, and what people then read. */

let world: World;

beforeAll(async () => {
  world = await startWorld();
}, START_LIMIT_MS);

afterAll(() => world?.cluster.stop(), START_LIMIT_MS);

test(
  "an empty cluster answers soon after two commands",
  async () => {
    // 30 s is what is promised on a machine with nothing else to do; here it shares two cores with other tests.
    const { firstAnswerMs, appliedMs } = await measureQuickstart(world, STEP_LIMIT_MS);
    console.log(
      `first answer ${Math.round(firstAnswerMs)} ms after kubectl apply, which took ${Math.round(appliedMs)} ms`,
    );
    expect(firstAnswerMs).toBeLessThan(STEP_LIMIT_MS);
  },
  2 * STEP_LIMIT_MS,
);
test(
  "kubectl get tells of each of our kinds what matters, and kubectl describe what became of it",
  async () => {
    const { kubectl } = world;
    await kubectl("apply", "-f", "config/samples/kinds");
    const proxy = { group: "gateway.envoyproxy.io", kind: "EnvoyProxy", name: "two-to-five" };
    const patch = JSON.stringify({ spec: { infrastructure: { parametersRef: proxy } } });
    await kubectl("patch", "gateway", "quickstart", "--type=merge", "-p", patch);
    const rows: Readonly<Record<string, RegExp>> = {
      gatewayclass: /^gatehouse +gatehouse\.dev\/gateway-controller +True /m,
      gateway: /^quickstart +gatehouse +[\d.]+ +True /m,
      be: /^payments +Endpoints +Accepted /m,
      eproxy: /^two-to-five +Accepted +quickstart /m,
      hrf: /^maintenance +503 /m,
    };
    for (const [kind, row] of Object.entries(rows)) {
      await waitFor(`the row of ${kind}`, async () => row.test(await kubectl("get", kind)), STEP_LIMIT_MS);
    }
    const connected = async () =>
      /2 Envoys connected; 1 of 1 listeners serve/.test(await kubectl("describe", "gateway"));
    await waitFor("the Gateway to tell of the replicas that the EnvoyProxy asks for", connected, STEP_LIMIT_MS);
  },
  2 * STEP_LIMIT_MS,
);
