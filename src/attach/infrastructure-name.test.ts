import { expect, test } from "@jest/globals";
import { aliasName, infrastructureName, labelValue } from "./infrastructure-name.ts";

const long = "x".repeat(253);

test.each([
  ["eg", "gatehouse", "eg-gatehouse"],
  ["1st", "gatehouse", /^gateway-1st-gatehouse-[0-9a-f]{8}$/],
  ["a.b", "c", /^gateway-a-b-c-[0-9a-f]{8}$/],
  ["eg", "edge.example", /^gateway-eg-edge-example-[0-9a-f]{8}$/],
  [long, "gatehouse", /^gateway-x{46}-[0-9a-f]{8}$/],
])("Gateway %s of class %s has a name that a Service can have", (gateway, className, expected) => {
  const name = aliasName(gateway, className);
  expect(name).toMatch(expected);
  expect(name).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
});

test("names that read the same once they are cut are told apart", () => {
  expect(aliasName(`${long}a`, "c")).not.toBe(aliasName(`${long}b`, "c"));
  expect(infrastructureName(`a/${long}a`)).not.toBe(infrastructureName(`a/${long}b`));
  expect(labelValue(`${long}a`)).not.toBe(labelValue(`${long}b`));
  expect(labelValue(long)).toHaveLength(63);
});
