import { describe, expect, test } from "@jest/globals";
import { inBackend, resolve } from "./resolve.test-support.ts";

describe("fallback", () => {
  const refs = (...names: string[]) => `[{backendRefs: [${names.join(", ")}]}]`;
  const weighted = (name: string, weight: number) => inBackend(name).replace("}", `, weight: ${weight}}`);

  test("makes one cluster with priorities; an invalid primary keeps its share of errors", () => {
    const { rules, problems } = resolve(
      refs(inBackend("absent"), weighted("ip", 3), "{name: web, port: 80, weight: 2}", weighted("spare", 7)),
    );
    expect(problems).toMatchObject([{ reason: "BackendNotFound" }]);
    expect(rules[0]?.backends.map(({ weight }) => weight)).toEqual([1, 5, 0, 0]);
    expect(rules[0]?.backends[0]?.target).toBeUndefined();
    expect(rules[0]?.backends[1]?.target?.reach).toMatchObject({
      kind: "Fallback",
      members: [
        { reach: { key: "a/ip" }, weight: 3, priority: 0 },
        { reach: { key: "a/web" }, weight: 2, priority: 0 },
        { reach: { key: "a/spare" }, weight: 7, priority: 1 },
      ],
    });
  });

  test("leaves out what has weight 0, which Envoy would refuse", () => {
    const { rules } = resolve(refs(weighted("ip", 1), "{name: web, port: 80, weight: 0}", inBackend("spare")));
    expect(rules[0]?.backends[0]?.target?.reach).toMatchObject({ members: [{ weight: 1 }, { weight: 1 }] });
  });

  test("puts the endpoints of Backends into the cluster when there are host names among them", () => {
    const { rules, problems } = resolve(refs(weighted("ip", 3), inBackend("spare-names")));
    expect(problems).toEqual([]);
    expect(rules[0]?.backends[0]?.target?.reach).toMatchObject({
      kind: "DnsFallback",
      members: [
        { reach: { key: "a/ip", endpoints: [{ address: { port: expect.any(Number) } }] }, weight: 3, priority: 0 },
        { reach: { key: "a/spare-names" }, weight: 1, priority: 1 },
      ],
    });
  });

  test.each([
    ["alone", refs(inBackend("spare"))],
    ["beside weight 0", refs(weighted("ip", 0), inBackend("spare"))],
  ])("%s is an ordinary backend", (_name, rules) => {
    const targets = resolve(rules).rules[0]?.backends.map(({ target }) => target?.reach.kind);
    expect(targets).not.toContain("Fallback");
  });

  test.each([
    refs("{name: web, port: 80}", inBackend("spare-names")),
    refs(inBackend("h2c"), inBackend("spare")),
    `[{backendRefs: [{name: web, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {}}]}, ${inBackend("spare")}]}]`,
  ])("that one cluster cannot hold says so: %s", (rules) => {
    expect(resolve(rules).problems).toMatchObject([{ condition: "ResolvedRefs", reason: "InvalidBackendRef" }]);
  });
});
