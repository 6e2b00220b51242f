import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { startLoad } from "../harness/load.ts";
import { waitFor } from "../harness/waiting.ts";
import { backendYaml, createWorld, routeYaml, toBackend, type World } from "./world.ts";

/** What happens to a gateway on an ordinary day: edits, mistakes, crashes. Under traffic, and none of it may cost a request. */
let world: World;
let backendPort: number;
const host = "steady.example.com";

beforeEach(async () => {
  world = await createWorld();
  backendPort = (await world.backend("one")).port;
  world.files.writeAtomically("one.yaml", backendYaml("one", backendPort));
  world.files.writeAtomically("steady.yaml", routeYaml("steady", host, `[{backendRefs: [${toBackend("one")}]}]`));
  await world.until({ host }, (answer) => answer.status === 200);
}, 60_000);

afterEach(() => world.stop(), 30_000);

const underTraffic = () => startLoad({ port: world.port, host, path: "/", requestsPerSecond: 200 });

test("edits, deletions and new backends lose no request and are followed", async () => {
  const load = await underTraffic();
  for (let i = 0; i < 10; i++) {
    const name = `edit-${i}`;
    world.files.writeAtomically(
      `${name}.yaml`,
      `${backendYaml(name, (await world.backend(name)).port)}---${routeYaml(name, `${name}.example.com`, `[{backendRefs: [${toBackend(name)}]}]`)}`,
    );
    await world.until({ host: `${name}.example.com` }, (answer) => answer.received?.backend === name);
    const header = `{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x-edit, value: "${i}"}]}}`;
    world.files.writeAtomically(
      "steady.yaml",
      routeYaml("steady", host, `[{filters: [${header}], backendRefs: [${toBackend("one")}]}]`),
    );
    await world.until({ host }, (answer) => answer.headers["x-edit"] === String(i));
    world.files.remove(`${name}.yaml`);
    await world.until({ host: `${name}.example.com` }, (answer) => answer.status === 404);
  }
  const result = await load.stop();
  expect(result.failures).toEqual([]);
  expect(result.requests).toBeGreaterThan(50);
}, 90_000);

test("a broken file is reported with its line, keeps serving, and costs nobody else", async () => {
  world.files.writeAtomically("steady.yaml", routeYaml("steady", host, "[{matchez: []}]"));
  await waitFor("the report", () => /steady\.yaml:8[^\n]*matchez/.test(world.gatehouse().log()));
  expect((await world.send({ host })).status).toBe(200);
  world.files.writeAtomically("steady.yaml", "a: [unclosed");
  await waitFor("the report", () => /steady\.yaml:1/.test(world.gatehouse().log()));
  expect((await world.send({ host })).status).toBe(200);
  world.files.writeAtomically(
    "other.yaml",
    routeYaml("other", "other.example.com", `[{backendRefs: [${toBackend("one")}]}]`),
  );
  await world.until({ host: "other.example.com" }, (answer) => answer.status === 200);
}, 60_000);

test("a deleted backend is told by the route and heals when it returns", async () => {
  world.files.remove("one.yaml");
  await world.until({ host }, (answer) => answer.status === 500);
  await waitFor("the status", async () => /BackendNotFound/.test(await world.gatehouse().statusText()));
  world.files.writeAtomically("one.yaml", backendYaml("one", backendPort));
  await world.until({ host }, (answer) => answer.status === 200);
}, 60_000);

test("Envoy killed with -9 is started again", async () => {
  const [before] = await world.gatehouse().envoyPids();
  process.kill(before as number, "SIGKILL");
  await waitFor("another Envoy", async () => {
    const [now] = await world.gatehouse().envoyPids();
    return now !== undefined && now !== before;
  });
  await world.until({ host }, (answer) => answer.status === 200);
}, 60_000);

test("Gatehouse killed with -9 and started again: no request lost, no resource sent", async () => {
  const load = await underTraffic();
  const [before] = await world.gatehouse().envoyPids();
  await world.gatehouse().kill9();
  expect(await world.gatehouse().statusText()).toMatch(/^No Gatehouse serves .*Envoy of default\/web still serves/);
  await world.restart();
  await waitFor("the Envoy to be connected again", async () =>
    /Programmed at/.test(await world.gatehouse().statusText()),
  );
  expect(await world.gatehouse().envoyPids()).toEqual([before]);
  expect(await world.gatehouse().metric("gatehouse_xds_resources_sent_total")).toBe(0);
  const result = await load.stop();
  expect(result.failures).toEqual([]);
  world.files.writeAtomically(
    "new.yaml",
    routeYaml("new", "new.example.com", `[{backendRefs: [${toBackend("one")}]}]`),
  );
  await world.until({ host: "new.example.com" }, (answer) => answer.status === 200);
}, 90_000);
