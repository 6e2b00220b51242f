import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { findSelectorFault, matchesLabels } from "./label-selector.ts";

const labels = { team: "red", tier: "front" };

test.each([
  ["{}", true],
  ["{matchLabels: {team: red}}", true],
  ["{matchLabels: {team: red, tier: back}}", false],
  ["{matchLabels: {absent: red}}", false],
  ["{matchLabels: {toString: x}}", false],
  ["{matchExpressions: [{key: team, operator: In, values: [blue, red]}]}", true],
  ["{matchExpressions: [{key: team, operator: In, values: [blue]}]}", false],
  ["{matchExpressions: [{key: absent, operator: In, values: [red]}]}", false],
  ["{matchExpressions: [{key: team, operator: NotIn, values: [blue]}]}", true],
  ["{matchExpressions: [{key: team, operator: NotIn, values: [red]}]}", false],
  ["{matchExpressions: [{key: absent, operator: NotIn, values: [red]}]}", true],
  ["{matchExpressions: [{key: team, operator: Exists}]}", true],
  ["{matchExpressions: [{key: absent, operator: Exists}]}", false],
  ["{matchExpressions: [{key: constructor, operator: Exists}]}", false],
  ["{matchExpressions: [{key: absent, operator: DoesNotExist}]}", true],
  ["{matchExpressions: [{key: team, operator: DoesNotExist}]}", false],
  ["{matchExpressions: [{key: team, operator: Near}]}", false],
  ["{matchLabels: {team: red}, matchExpressions: [{key: tier, operator: Exists}]}", true],
  ["{matchLabels: {team: blue}, matchExpressions: [{key: tier, operator: Exists}]}", false],
])("%s matches: %s", (selector, expected) => {
  expect(matchesLabels(parse(selector), labels)).toBe(expected);
});

test.each([
  ["{}", undefined],
  ["{matchExpressions: [{key: k, operator: In, values: [v]}, {key: k, operator: DoesNotExist}]}", undefined],
  ["{matchExpressions: [{key: k, operator: Near}]}", /operator Near/],
  ["{matchExpressions: [{key: k, operator: NotIn, values: []}]}", /no values/],
  ["{matchExpressions: [{key: k, operator: Exists, values: [v]}]}", /has values/],
])("fault of %s", (selector, expected) => {
  const fault = findSelectorFault(parse(selector));
  if (expected === undefined) expect(fault).toBeUndefined();
  else expect(fault).toMatch(expected);
});
