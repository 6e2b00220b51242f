import { expect, test } from "@jest/globals";
import { wordsOfRefusal } from "./refusal-words.ts";

test.each([
  ["as it is", "as it is"],
  [
    'goo.gle/debugstr  \ncredentials {\n  key: "secret: 1\\n: 2"\n}\n: Proto constraint validation failed (A.B: too short)',
    "Proto constraint validation failed (A.B: too short)",
  ],
  ['in a.b: goo.gle/debugproto   \nkey: "secret"\n', "in a.b: "],
  ['one: goo.gle/debugonly key: "secret" : why', "one: "],
  ['goo.gle/debugstr \nkey: "secret"\n: first; goo.gle/debugstr \nkey: "secret"\n: second', "first; second"],
])("%j becomes %j", (error, words) => {
  expect(wordsOfRefusal(error)).toBe(words);
});
