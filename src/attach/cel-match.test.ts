import { expect, test } from "@jest/globals";
import { bad, good } from "./cel-match.test-support.ts";
import { findCelFault } from "./cel-match.ts";

test.each(good)("%s is an expression", (expression) => {
  expect(findCelFault(expression)).toBeUndefined();
});

test.each(Object.entries(bad))("%s is none", (expression, words) => {
  expect(findCelFault(expression)).toContain(words);
});
