import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { waitFor } from "../harness/waiting.ts";
import { createAuditTrail } from "../operator/audit.ts";
import { quickstart, START_LIMIT_MS, STEP_LIMIT_MS, startWorld, type World } from "../operator/world.ts";
import { installAsOlm, type OperatorGroup, readCsv, uninstall } from "./olm.ts";

/** The deployment and the permissions of the ClusterServiceVersion, and nothing else of ours, in each of its install modes. */

const OPERATORS = "operators";
const audit = createAuditTrail(`system:serviceaccount:${OPERATORS}:gatehouse`);
let world: World;
let installed: OperatorGroup | undefined;
let served = "default";

beforeAll(async () => {
  world = await startWorld({ apiServerArgs: audit.apiServerArgs });
  for (const namespace of [OPERATORS, "other"]) await world.kubectl("create", "namespace", namespace);
}, START_LIMIT_MS);

afterAll(async () => {
  await world?.cluster.stop();
  audit.remove();
}, START_LIMIT_MS);

const inNamespace = (namespace: string) => quickstart.replaceAll("namespace: default", `namespace: ${namespace}`);

afterEach(async () => {
  await world.kubectl("delete", "gateway", "--all", "-A");
  for (const namespace of [served, "other"]) {
    await world.cluster.kubectl(["delete", "--ignore-not-found", "-f", "-"], inNamespace(namespace));
  }
  if (installed !== undefined) await uninstall(world, installed);
}, STEP_LIMIT_MS);

const groups: Readonly<Record<string, readonly string[]>> = {
  AllNamespaces: [],
  MultiNamespace: ["default", "team"],
  SingleNamespace: ["default"],
  OwnNamespace: [OPERATORS],
};

test("these are its install modes", () => {
  const supported = readCsv().spec.installModes.filter((mode) => mode.supported);
  expect(supported.map(({ type }) => type).sort()).toEqual(Object.keys(groups).sort());
});

test.each(Object.entries(groups))(
  "%s",
  async (mode, targets) => {
    const { kubectl, apply, untilServed } = world;
    for (const target of targets) await kubectl("create", "namespace", target).catch(() => {});
    audit.clear();
    installed = { namespace: OPERATORS, targets };
    await installAsOlm(world, installed);
    served = targets[0] ?? "default";
    await apply(inNamespace(served));
    await kubectl("config", "set-context", "--current", `--namespace=${served}`);
    await untilServed("eg", "/");
    await apply(inNamespace("other"));
    const inOther = async () =>
      JSON.parse(await kubectl("get", "gateway", "eg", "-n", "other", "-o", "json")).status?.addresses !== undefined;
    if (mode === "AllNamespaces") await waitFor("another namespace's address", inOther, STEP_LIMIT_MS);
    else expect(await inOther()).toBe(false);
    expect(audit.read().filter(({ allowed }) => !allowed)).toEqual([]);
  },
  2 * STEP_LIMIT_MS,
);
