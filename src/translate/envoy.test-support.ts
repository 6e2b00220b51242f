import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { test } from "@jest/globals";

const envoyPath = [
  process.env["ENVOY_PATH"],
  ...(process.env["PATH"] ?? "").split(delimiter).map((each) => join(each, "envoy")),
].find((path) => path !== undefined && existsSync(path));

/** A test for which the real Envoy judges what is generated; skipped where there is none. */
export const withEnvoy = envoyPath === undefined ? test.skip : test;

/** What Envoy prints when it is asked whether it would start with this bootstrap, with empty SDS files in the folder /sds. */
export async function validateBootstrap(bootstrap: object): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bootstrap-"));
  try {
    const path = join(folder, "bootstrap.json");
    for (const name of ["certificate", "trusted-ca", "token"]) {
      await writeFile(join(folder, `xds-${name}.json`), '{"resources":[]}');
    }
    await writeFile(path, JSON.stringify(bootstrap).replaceAll('"/sds', `"${folder}`));
    const { stderr, stdout } = await promisify(execFile)(envoyPath as string, [
      ...["--mode", "validate", "--config-path", path, "--log-level", "warning", "--disable-hot-restart"],
    ]).catch((error: { stdout: string; stderr: string }) => error);
    return stdout + stderr;
  } finally {
    await rm(folder, { recursive: true });
  }
}
