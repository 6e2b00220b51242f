import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parse, parseAllDocuments } from "yaml";
import { bundleFolders, renderBundle } from "../../tools/generate-bundle.ts";
import { type ApiServer, startApiServer } from "../cluster/control-plane.ts";
import { findProgram } from "../cluster/programs.ts";
import { installCrds } from "../kube/gateway-api.ts";
import { manifestsFolder, readCsv } from "./olm.ts";
import { olmTools } from "./olm-tools.ts";

/** The bundle is what its sources say, and OLM understands it. */

const root = fileURLToPath(new URL("../../", import.meta.url));

test("generating again changes nothing: after a change of config/ or src/api run `make bundle`", () => {
  const rendered = renderBundle(findProgram("kubectl"));
  const onDisk = bundleFolders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length)),
  );
  expect([...onDisk, "bundle.Dockerfile"].sort()).toEqual([...rendered.keys()].sort());
  for (const [path, content] of rendered)
    expect({ path, content: readFileSync(join(root, path), "utf8") }).toEqual({ path, content });
});

test("OLM's own validators find nothing to complain about", () => {
  const { verifier } = olmTools();
  const judge = (bundle: string) => spawnSync(verifier, [bundle, join(root, "olm/catalog")], { encoding: "utf8" });
  expect(judge(join(root, "bundle"))).toMatchObject({ stdout: "", stderr: "", status: 0 });
  expect(judge(join(root, "olm"))).toMatchObject({ status: 1 });
});

describe("with OLM's kinds in an API server", () => {
  let server: ApiServer;

  beforeAll(async () => {
    server = await startApiServer();
    await installCrds(server);
    await server.kubectl(["apply", "--server-side", "-f", olmTools().crds]);
    await server.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    for (const namespace of ["olm", "placeholder"]) await server.kubectl(["create", "namespace", namespace]);
  }, 120_000);

  afterAll(() => server?.stop());

  const strictly = (...args: string[]) => server.kubectl(["apply", "--server-side", "--validate=strict", ...args]);

  test("the ClusterServiceVersion is valid", async () => {
    expect(await strictly("-f", manifestOf("clusterserviceversion"))).toContain("serverside-applied");
  });

  test.each(["operator-group.yaml", "catalog-source.yaml", "subscription.yaml"])("olm/%s is valid", async (name) => {
    expect(await strictly("-f", join(root, "olm", name))).toContain("serverside-applied");
  });

  test("the examples are valid, and there is one of each kind", async () => {
    const examples = JSON.parse(readCsv().metadata.annotations["alm-examples"] ?? "") as { kind: string }[];
    for (const example of examples)
      await server.kubectl(["create", "--validate=strict", "-f", "-"], JSON.stringify(example));
    const crds = readdirSync(join(root, "crds")).filter((name) => name.startsWith("gateway."));
    const kinds = crds.map((name) => parse(readFileSync(join(root, "crds", name), "utf8")).spec.names.kind);
    expect(examples.map(({ kind }) => kind).sort()).toEqual(kinds.sort());
  });
});

const manifestOf = (what: string) =>
  join(manifestsFolder, readdirSync(manifestsFolder).find((name) => name.includes(what)) ?? what);

test("every kind of crds/ is in the bundle as it is there", () => {
  for (const name of readdirSync(join(root, "crds")).filter((each) => each.startsWith("gateway."))) {
    expect(existsSync(join(manifestsFolder, name))).toBe(true);
    const [shipped, own] = [join(manifestsFolder, name), join(root, "crds", name)].map((path) =>
      parseAllDocuments(readFileSync(path, "utf8")).map((document) => document.toJS()),
    );
    expect(shipped).toEqual(own);
  }
});
