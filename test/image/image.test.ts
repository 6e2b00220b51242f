import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readVersion } from "../../src/cli/version.ts";
import type { Image } from "../cluster/images.ts";
import { waitFor } from "../harness/waiting.ts";
import { images } from "../operator/images.ts";
import { measureQuickstart } from "../operator/quickstart.ts";
import { START_LIMIT_MS, STEP_LIMIT_MS, startWorld, type World } from "../operator/world.ts";
import { buildContext, type Instruction, only, readStages } from "./dockerfile.ts";

/**
 * The steps of the Dockerfile, run in a clean folder that holds what .dockerignore lets in, and a cluster that runs what comes out. No
 * registry is asked: this machine stands in for the base images (its system is what both stages share).
 */

const BUILD_LIMIT_MS = 600_000;
const root = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
const folder = mkdtempSync(join(tmpdir(), "gatehouse-image-"));
const [build = [], final = []] = readStages(join(root, "Dockerfile"));

let world: World | undefined;

/** Copies the build context and runs the commands of a stage; those that add system packages are for the image's own system. */
function runStage(stage: readonly Instruction[]): void {
  const included = buildContext(join(root, ".dockerignore"));
  const filter = (path: string) => path === root || included(relative(root, path));
  cpSync(root, folder, { recursive: true, filter });
  for (const { keyword, text } of stage) {
    if (keyword === "RUN" && !text.startsWith("apt-get "))
      execFileSync("sh", ["-ec", text], { cwd: folder, stdio: "pipe" });
  }
}

/** What the last stage says, as an image of the local cluster. */
function imageOf(stage: readonly Instruction[]): Image {
  const [, workdir, source = "", target = ""] =
    /^--from=build (\/\w+)\/(\S*?)\/? (\/\S*)$/.exec(only(stage, "COPY")) ?? [];
  expect(workdir).toBe(only(build, "WORKDIR"));
  const [user = 0, group = 0] = only(stage, "USER").split(":").map(Number);
  const mounted = ["opt/gatehouse", "usr/local/bin"].map((path) => [join(target, path), join(folder, source, path)]);
  return {
    pattern: "ghcr.io/gatehouse/gatehouse:*",
    files: Object.fromEntries(mounted),
    entrypoint: JSON.parse(only(stage, "ENTRYPOINT")) as string[],
    user,
    group,
  };
}

beforeAll(async () => {
  // mkdtemp makes it for its owner only; containers run as somebody else.
  chmodSync(folder, 0o755);
  runStage(build);
  world = await startWorld({}, [imageOf(final), ...images]);
}, BUILD_LIMIT_MS);

afterAll(async () => {
  await world?.cluster.stop();
  rmSync(folder, { recursive: true, force: true });
}, START_LIMIT_MS);

test("the image holds what runs and nothing else", () => {
  const packages = join(folder, "root/opt/gatehouse/node_modules");
  expect(existsSync(join(packages, "commander"))).toBe(true);
  const unwanted = ["jest", "typescript", "ts-proto", "@biomejs/biome", "node"];
  expect(unwanted.filter((name) => existsSync(join(packages, name)))).toEqual([]);
  const size = execFileSync("du", ["-sm", join(folder, "root")], { encoding: "utf8" }).split("\t")[0];
  console.log(`the image's own layer has ${size} MB`);
});

test("the program starts with the settings that bin/gatehouse gives it", () => {
  const flags = /--max-semi-space-size=\d+|--no-memory-reducer/g;
  const [inImage, onMachine] = ["image/gatehouse", "bin/gatehouse"].map((path) =>
    readFileSync(join(root, path), "utf8").match(flags),
  );
  expect(inImage).toEqual(onMachine);
});

test(
  "it runs as nobody, on a file system that it cannot write to, and tells its version",
  async () => {
    const { kubectl, cluster } = world!;
    const securityContext = { runAsNonRoot: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false };
    const container = {
      name: "version",
      image: `ghcr.io/gatehouse/gatehouse:v${readVersion()}`,
      args: ["--version"],
      securityContext,
    };
    const spec = { restartPolicy: "Never", containers: [container] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "version", namespace: "default" }, spec };
    await waitFor("a service account", () => kubectl("get", "serviceaccount", "default").catch(() => undefined));
    await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(pod));
    const told = async () => (await kubectl("logs", "version")).trim() || undefined;
    expect(await waitFor("the version", told, STEP_LIMIT_MS)).toBe(readVersion());
  },
  STEP_LIMIT_MS,
);

test(
  "a cluster is served by it",
  async () => {
    const { firstAnswerMs } = await measureQuickstart(world!, STEP_LIMIT_MS);
    expect(firstAnswerMs).toBeGreaterThan(0);
  },
  2 * STEP_LIMIT_MS,
);
