import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { waitFor } from "../harness/waiting.ts";
import { gatewayApiCrds, gatewayApiFile } from "../kube/gateway-api.ts";
import { images } from "./images.ts";
import { quickstart, START_LIMIT_MS, STEP_LIMIT_MS, startWorld, type World } from "./world.ts";

/** A cluster with an older release's GatewayClass, and of all other kinds of the Gateway API those of a first gateway only. */

const GROUP = "gateway.networking.k8s.io";
const CLASSES = `gatewayclasses.${GROUP}`;

let world: World;
const kubectl = (...args: string[]) => world.kubectl(...args);
const features = async () =>
  JSON.parse(await kubectl("get", "gatewayclass", "gatehouse", "-o", "json")).status?.supportedFeatures as
    | readonly { readonly name: string }[]
    | undefined;

beforeAll(async () => {
  // Never made instead of deleted: an API server that is busy can take minutes to let go of a CRD that has only just been made.
  world = await startWorld({}, images, [CLASSES, `gateways.${GROUP}`, `httproutes.${GROUP}`]);
  const path = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/supportedFeatures";
  await kubectl("patch", "crd", CLASSES, "--type=json", "-p", JSON.stringify([{ op: "remove", path }]));
  await kubectl(
    "annotate",
    "--overwrite",
    "crd",
    CLASSES,
    `${GROUP}/bundle-version=v1.2.0`,
    `${GROUP}/channel=standard`,
  );
  await world.install("config/default", (manifest) => !manifest.includes("name: envoyproxies.gateway.envoyproxy.io\n"));
  await world.apply(quickstart);
}, START_LIMIT_MS);

afterAll(() => world?.cluster.stop(), START_LIMIT_MS);

test(
  "what is there is served, and the class says that its version is another",
  async () => {
    expect(await kubectl("get", "crd", "-o", "name")).not.toContain("envoyproxies.");
    await world.untilServed("eg", "/hello");
    const accepted = () => world.condition("gatewayclass/gatehouse", "Accepted");
    await waitFor("the class to be accepted", async () => (await accepted())?.status === "True", STEP_LIMIT_MS);
    expect(await world.condition("gatewayclass/gatehouse", "SupportedVersion")).toMatchObject({ status: "False" });
    expect(await features()).toBeUndefined();
  },
  2 * STEP_LIMIT_MS,
);

test(
  "a class that can list features lists those of the kinds that are there",
  async () => {
    const file = join(gatewayApiCrds("standard"), gatewayApiFile(CLASSES));
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", file);
    const listed = await waitFor("features", features, STEP_LIMIT_MS);
    const names = listed.map(({ name }) => name);
    expect(names).toContain("HTTPRouteCORS");
    expect(names.filter((name) => !/^(Gateway|HTTPRoute)/.test(name))).toEqual([]);
    expect(names.filter((name) => name.startsWith("HTTPRouteRetry"))).toEqual([]);
  },
  STEP_LIMIT_MS,
);
