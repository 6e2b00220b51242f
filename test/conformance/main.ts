/**
 * `make conformance`: runs the official suite of the Gateway API, unmodified, against the operator in a local cluster.
 *
 * usage: main.ts [--channel experimental|standard] [--profiles A,B] [--run TEST,TEST] [--report FILE | --publish] [--log FILE]
 *
 * No test is skipped and no feature exempted: the suite reads from our GatewayClass what is supported. `--run` is for work on some
 * tests, each in a run of its own; without it all profiles run and the suite writes its report to FILE, or with `--publish` to
 * docs/conformance, from where the table of the README is made.
 */
import { spawn } from "node:child_process";
import { createWriteStream, existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { reportsFolder, writeTable } from "../../tools/generate-conformance-table.ts";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { images as systemImages } from "../cluster/system-images.ts";
import { toolFolder } from "../harness/tool-folder.ts";
import { type Channel, gatewayApiVersion, installCrds } from "../kube/gateway-api.ts";
import { images } from "../operator/images.ts";
import { suiteImages } from "./images.ts";
import { createProgress } from "./progress.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const PROFILES = "GATEWAY-HTTP,GATEWAY-TLS,GATEWAY-TCP,GATEWAY-UDP,GATEWAY-GRPC";
const CLASS = "gatehouse";
/** Of a documentation range (RFC 5737), which no load balancer here serves. */
const UNUSABLE_ADDRESS = "192.0.2.1";
/** That of config/default. */
const MODE = "default";
/** Tests that the suite may run side by side. */
const PARALLEL = 4;

const gatewayClass = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "GatewayClass",
  metadata: { name: CLASS },
  spec: { controllerName: "gatehouse.dev/gateway-controller" },
};

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      channel: { type: "string", default: "experimental" },
      profiles: { type: "string", default: PROFILES },
      run: { type: "string" },
      report: { type: "string", default: join(root, "conformance-report.yaml") },
      publish: { type: "boolean", default: false },
      log: { type: "string", default: join(root, "conformance.log") },
    },
  });
  const channel = readChannel(values.channel);
  if (values.publish && (values.run !== undefined || values.profiles !== PROFILES)) {
    throw new Error("--publish is for a whole run: leave out --run and --profiles");
  }
  const report = values.publish ? join(reportsFolder, reportName(channel)) : values.report;
  const folder = toolFolder(`conformance-${gatewayApiVersion()}`);
  if (!existsSync(folder)) throw new Error(`the suite is not in ${folder}: run \`make conformance\``);
  console.log("starting a cluster");
  const cluster = await startCluster({ images: [...images, ...suiteImages(folder), ...systemImages] });
  const interrupted = new Promise<number>((done) => process.once("SIGINT", () => done(130)));
  try {
    await install(cluster, channel);
    const program = join(folder, "bin", "conformance.test");
    let code = 0;
    for (const test of values.run?.split(",") ?? [undefined]) {
      const run = runSuite(cluster, program, { ...values, report, test });
      code = (await Promise.race([run, interrupted])) || code;
    }
    if (values.publish) writeTable();
    return code;
  } finally {
    await keepOperatorLog(cluster, values.log);
    await cluster.stop();
  }
}

function readChannel(text: string): Channel {
  if (text === "standard" || text === "experimental") return text;
  throw new Error(`--channel is standard or experimental, not ${text}`);
}

/** As the reports that the Gateway API publishes are called. */
function reportName(channel: Channel): string {
  return `${channel}-v${readVersion()}-${MODE}-report.yaml`;
}

function readVersion(): string {
  return (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string }).version;
}

async function install(cluster: Cluster, channel: Channel): Promise<void> {
  console.log(`installing the Gateway API (${channel} channel) and config/default`);
  await installCrds(cluster, channel);
  await cluster.kubectl(["apply", "--server-side", "-k", join(root, "config/default")]);
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(gatewayClass));
  await cluster.kubectl(["wait", "--for=condition=Accepted", "--timeout=120s", `gatewayclass/${CLASS}`]);
}

/** One that the load balancer would hand out last. */
function usableAddress({ addresses }: Cluster): string {
  return `10.${addresses.slot}.191.250`;
}

interface Run {
  readonly profiles: string;
  readonly report: string;
  readonly log: string;
  readonly test: string | undefined;
}

/** Resolves with the suite's exit code. What it says goes to the log; a line a test goes to the terminal. */
function runSuite(cluster: Cluster, program: string, { profiles, report, log, test }: Run): Promise<number> {
  const options = {
    "test.v": "true",
    "test.timeout": "0",
    "test.parallel": String(PARALLEL),
    kubeconfig: cluster.kubeconfigPath,
    "gateway-class": CLASS,
    "conformance-profiles": profiles,
    "usable-address": usableAddress(cluster),
    "unusable-address": UNUSABLE_ADDRESS,
    organization: "gatehouse",
    project: "gatehouse",
    url: "https://github.com/gatehouse/gatehouse",
    version: `v${readVersion()}`,
    mode: MODE,
    contact: "https://github.com/gatehouse/gatehouse/issues",
    ...(test === undefined
      ? { "report-output": resolve(report) }
      : { "run-test": test, "cleanup-base-resources": "false" }),
  };
  const args = Object.entries(options).map(([name, value]) => `-${name}=${value}`);
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, KUBECONFIG: cluster.kubeconfigPath },
  });
  const file = createWriteStream(log, { flags: test === undefined ? "w" : "a" });
  const progress = createProgress((line) => console.log(line));
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      file.write(`${line}\n`);
      progress.read(line);
    });
  }
  return new Promise((done, refuse) => {
    child.once("error", refuse);
    child.once("close", (code) => {
      file.end();
      console.log(progress.summary());
      done(code ?? 1);
    });
  });
}

async function keepOperatorLog(cluster: Cluster, log: string): Promise<void> {
  const lines = await cluster
    .kubectl(["logs", "-n", "gatehouse-system", "deployment/gatehouse", "--tail=-1"])
    .catch(String);
  createWriteStream(`${log}.operator`).end(lines);
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
