import { expect, test } from "@jest/globals";
import { findRegexFault, findSubstitutionFault } from "./regex.ts";

test.each([
  "/foo(/.*)?",
  "(?i)abc",
  "[a-z]{1,253}",
  "\\pL+",
  "\\x{ff}",
  "é|[一-龥]",
  "(?P<n>a)",
  "(?<n>a)",
  "\\Qa.b\\E",
  "\\d{1000}",
])("%s is taken", (pattern) => {
  expect(findRegexFault(pattern)).toBeUndefined();
});

test.each([
  ["", /empty/],
  ["(", /missing closing/],
  ["(?=a)", /no regular expression of RE2/],
  ["(?<=a)b", /no regular expression of RE2/],
  ["(a)\\1", /no regular expression of RE2/],
  ["a**", /no regular expression of RE2/],
  ["a{1001}", /no regular expression of RE2/],
  ["[z-a]", /no regular expression of RE2/],
  ["\\x{100}", /\\x\{100\}/],
  ["\\400", /\\400/],
  ["[^a]{1000}".repeat(30), /too large/],
  ["a".repeat(5000), /characters/],
])("%s is refused", (pattern, message) => {
  expect(findRegexFault(pattern)).toMatch(message);
});

test("an escaped backslash before x is no escape", () => {
  expect(findRegexFault("\\\\x{100}")).toBeUndefined();
});

test.each([
  ["(a)(b)", "\\2/\\1/\\0\\\\", undefined],
  ["(a)", "\\2", /group 2.*has 1/],
  ["a", "\\n", /after a backslash/],
  ["a", "end\\", /after a backslash/],
  ["a", "x\ny", /line break/],
  ["a", "", undefined],
])("%s replaced by %j", (pattern, substitution, message) => {
  const fault = findSubstitutionFault(pattern, substitution);
  if (message === undefined) expect(fault).toBeUndefined();
  else expect(fault).toMatch(message);
});
