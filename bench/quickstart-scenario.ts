import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startCluster } from "../test/cluster/cluster.ts";
import { images as systemImages } from "../test/cluster/system-images.ts";
import { send } from "../test/harness/client.ts";
import { waitFor } from "../test/harness/waiting.ts";
import { gatewayApiCrds } from "../test/kube/gateway-api.ts";
import { images } from "../test/operator/images.ts";
import { progress, type Recorder } from "./results.ts";

const installation = fileURLToPath(new URL("../config/default", import.meta.url));
const quickstart = readFileSync(new URL("../test/operator/quickstart.yaml", import.meta.url), "utf8");
const STEP_LIMIT_MS = 180_000;

/** The README's installation into a whole cluster that has only the Gateway API's kinds, until a route answers. */
export async function runQuickstartScenario(recorder: Recorder): Promise<void> {
  progress("quickstart: a cluster");
  const cluster = await startCluster({ images: [...images, ...systemImages] });
  const { kubectl } = cluster;
  try {
    await kubectl(["apply", "--server-side", "-f", gatewayApiCrds("experimental")]);
    await kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    progress("quickstart: kubectl apply");
    const startedMs = performance.now();
    await kubectl(["apply", "--server-side", "-k", installation]);
    await kubectl(["apply", "-f", "-"], quickstart);
    recorder.add("to_applied", "ms", performance.now() - startedMs);
    const query = ["get", "gateway", "eg", "-o", "jsonpath={.status.addresses[0].value}"];
    const host = await waitFor("an address", async () => (await kubectl(query)) || undefined, STEP_LIMIT_MS);
    recorder.add("to_address", "ms", performance.now() - startedMs);
    const answers = async () =>
      (await send({ address: host, port: 80, host: "any.example.com", path: "/" })).status === 200;
    await waitFor("an answer", answers, STEP_LIMIT_MS);
    recorder.add("to_first_200", "ms", performance.now() - startedMs);
    await kubectl(["wait", "--for=condition=Programmed", "gateway/eg", "--timeout=60s"]);
    recorder.add("to_programmed", "ms", performance.now() - startedMs);
  } finally {
    await cluster.stop();
  }
}
