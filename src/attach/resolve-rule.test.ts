import { describe, expect, test } from "@jest/globals";
import { extension, inBackend, ok, resolve } from "./resolve.test-support.ts";

describe("a rule", () => {
  test.each([
    ["{path: {type: RegularExpression, value: '('}}", "path.value"],
    ["{path: {type: RegularExpression, value: '\\x{100}'}}", "path.value"],
    ["{path: {type: Exact, value: 'x'}}", "path.value"],
    ["{path: {type: PathPrefix, value: '/a?b'}}", "path.value"],
    ["{path: {type: Suffix, value: '/a'}}", "path.type"],
    ["{method: BREW}", "method"],
    ["{headers: [{name: a, type: RegularExpression, value: '['}]}", "headers[0].value"],
    ["{headers: [{name: 'a b', value: x}]}", "headers[0].name"],
    ["{queryParams: [{name: a, type: RegularExpression, value: '*'}]}", "queryParams[0].value"],
  ])("that cannot be matched (%s) makes no routes, and the others stay", (match, field) => {
    const bad = `{matches: [{}, ${match}], ${ok}}`;
    const { rules, problems } = resolve(`[{${ok}}, ${bad}]`);
    expect(rules.map(({ dropped }) => dropped)).toEqual([undefined, true]);
    expect(problems).toEqual([
      {
        condition: "PartiallyInvalid",
        reason: "UnsupportedValue",
        message: expect.stringMatching(/^Dropped Rule\(s\) \[1\]: Field .*; .* The rule takes no requests\.$/),
        field: `spec.rules[1].matches[1].${field}`,
      },
    ]);
    expect(resolve(`[${bad}]`).problems).toMatchObject([{ condition: "Accepted", reason: "UnsupportedValue" }]);
  });

  test.each([
    ["{method: {type: RegularExpression, service: '('}}"],
    ["{method: {service: a/b}}"],
    ["{headers: [{name: a, type: RegularExpression, value: '['}]}"],
  ])("of a GRPCRoute that cannot be matched (%s) makes no routes", (match) => {
    const { rules, problems } = resolve(`[{matches: [${match}], ${ok}}, {${ok}}]`, "GRPCRoute");
    expect(rules.map(({ dropped }) => dropped)).toEqual([true, undefined]);
    expect(problems).toMatchObject([{ condition: "PartiallyInvalid" }]);
  });

  test.each([
    ["{type: ExternalAuth, externalAuth: {}}", "PartiallyInvalid", "UnsupportedValue"],
    ["{type: Unknown}", "PartiallyInvalid", "UnsupportedValue"],
    ["{type: URLRewrite}", "PartiallyInvalid", "UnsupportedValue"],
    [
      "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Host, value: x}]}}",
      "PartiallyInvalid",
      "UnsupportedValue",
    ],
    [
      "{type: RequestHeaderModifier, requestHeaderModifier: {remove: [':path']}}",
      "PartiallyInvalid",
      "UnsupportedValue",
    ],
    [
      '{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: a, value: "b\\nc"}]}}',
      "PartiallyInvalid",
      "UnsupportedValue",
    ],
    [
      "{type: RequestMirror, requestMirror: {percent: 101, backendRef: {name: web, port: 80}}}",
      "PartiallyInvalid",
      "UnsupportedValue",
    ],
    ["{type: CORS, cors: {}}, {type: CORS, cors: {}}", "PartiallyInvalid", "IncompatibleFilters"],
    [
      "{type: URLRewrite, urlRewrite: {}}, {type: RequestRedirect, requestRedirect: {}}",
      "PartiallyInvalid",
      "IncompatibleFilters",
    ],
    [extension("absent"), "ResolvedRefs", "BackendNotFound"],
    ["{type: ExtensionRef, extensionRef: {group: x, kind: Y, name: z}}", "ResolvedRefs", "InvalidKind"],
    [extension("bad-rewrite"), "PartiallyInvalid", "UnsupportedValue"],
    [extension("bad-group"), "PartiallyInvalid", "UnsupportedValue"],
    [extension("bad-host-regex"), "PartiallyInvalid", "UnsupportedValue"],
    [extension("bad-header"), "PartiallyInvalid", "UnsupportedValue"],
    [extension("answer-absent"), "PartiallyInvalid", "UnsupportedValue"],
    [extension("answer-100"), "PartiallyInvalid", "UnsupportedValue"],
    [extension("answer-type"), "PartiallyInvalid", "UnsupportedValue"],
    [extension("token-absent"), "PartiallyInvalid", "UnsupportedValue"],
    [extension("token-lines"), "PartiallyInvalid", "UnsupportedValue"],
    [extension("token-header"), "PartiallyInvalid", "UnsupportedValue"],
    [`${extension("token")}, ${extension("token-again")}`, "PartiallyInvalid", "UnsupportedValue"],
  ])("with the filter %s answers 500: %s/%s", (filters, condition, reason) => {
    const { rules, problems } = resolve(`[{filters: [${filters}], ${ok}}, {${ok}}]`);
    expect(problems).toMatchObject([{ condition, reason, field: expect.stringMatching(/^spec\.rules\[0\]\.filters/) }]);
    expect(rules.map(({ failureStatus }) => failureStatus)).toEqual([500, undefined]);
    expect(rules[0]?.backends).toEqual([{ weight: 1, extensions: [] }]);
  });

  test("with sessionPersistence answers 500", () => {
    const { rules, problems } = resolve(`[{sessionPersistence: {}, ${ok}}]`);
    expect(problems).toMatchObject([
      {
        condition: "Accepted",
        reason: "UnsupportedValue",
        message: expect.stringMatching(/^Field .* answered with 500\.$/),
      },
    ]);
    expect(rules[0]?.failureStatus).toBe(500);
  });

  test("of a GRPCRoute answers 503, which gRPC reads as UNAVAILABLE", () => {
    const { rules } = resolve(`[{filters: [{type: Unknown}], ${ok}}]`, "GRPCRoute");
    expect(rules[0]?.failureStatus).toBe(503);
  });

  test("with several faults tells each, and a route without a valid rule is not accepted", () => {
    const filters = `[{type: Unknown}, ${extension("answer-100")}]`;
    const { problems } = resolve(`[{matches: [{method: BREW}], filters: ${filters}, ${ok}}, {filters: [{type: Odd}]}]`);
    expect(problems.map(({ condition, field }) => [condition, field])).toEqual([
      ["Accepted", "spec.rules[0].filters[0].type"],
      ["Accepted", "spec.rules[0].filters[1].extensionRef"],
      ["Accepted", "spec.rules[0].matches[0].method"],
      ["Accepted", "spec.rules[1].filters[0].type"],
    ]);
  });

  test("keeps the matches of a filter that fails otherwise, and goes when they are bad", () => {
    expect(resolve(`[{filters: [${extension("answer-100")}], ${ok}}]`).rules[0]?.extensions).toHaveLength(1);
    const { rules, problems } = resolve(`[{filters: [${extension("bad-cookies")}], ${ok}}, {${ok}}]`);
    expect(rules[0]?.dropped).toBe(true);
    expect(problems).toMatchObject([{ condition: "PartiallyInvalid" }]);
  });

  test("drops a mirror that leads nowhere and serves the rest", () => {
    const mirror = (name: string) => `{type: RequestMirror, requestMirror: {backendRef: {name: ${name}, port: 80}}}`;
    const { rules, problems } = resolve(`[{filters: [${mirror("web")}, ${mirror("absent")}], ${ok}}]`);
    expect(problems).toMatchObject([
      {
        condition: "ResolvedRefs",
        reason: "BackendNotFound",
        field: "spec.rules[0].filters[1].requestMirror.backendRef",
      },
    ]);
    expect(rules[0]?.mirrors).toMatchObject([{ filterIndex: 0, target: { protocol: "http1" } }, { filterIndex: 1 }]);
    expect(rules[0]?.failureStatus).toBeUndefined();
  });

  test("reads the body of a direct response", () => {
    const bodyOf = (name: string) => resolve(`[{filters: [${extension(name)}]}]`).rules[0]?.extensions[0]?.body;
    expect(bodyOf("answer")).toBe("away");
    expect(bodyOf("answer-from-map")).toBe("hello");
  });

  test("injects a credential by its clusters, and a backendRef may have its own", () => {
    const own = `{name: web, port: 80, filters: [${extension("token-again")}]}`;
    const { rules, problems } = resolve(
      `[{filters: [${extension("token")}], backendRefs: [{name: web, port: 80}, ${own}]}]`,
    );
    expect(problems).toEqual([]);
    expect(rules[0]?.backends.map(({ target }) => target?.credential)).toEqual([
      { secret: "a/token", header: "Authorization", overwrite: false },
      { secret: "a/token", header: "X-Key", overwrite: true },
    ]);
    expect(JSON.stringify(rules)).not.toContain("s3cret");
  });

  test("with a DynamicResolver beside another backend answers 500", () => {
    const { rules, problems } = resolve(`[{backendRefs: [${inBackend("any")}, {name: web, port: 80}]}]`);
    expect(problems).toMatchObject([{ condition: "ResolvedRefs", reason: "InvalidBackendRef" }]);
    expect(rules[0]?.failureStatus).toBe(500);
  });
});
