import fc from "fast-check";
import { hostile, name, seldom } from "./security-fuzz-texts.ts";

const texts = fc.array(hostile, { minLength: 1, maxLength: 3 });
const principal = fc.record(
  {
    clientCIDRs: fc.array(fc.constantFrom("10.0.0.0/8", "fd00::/8", "127.0.0.1/33", "::ffff:10.0.0.1/96", "x/8"), {
      minLength: 1,
      maxLength: 3,
    }),
    headers: fc.array(fc.record({ name, values: texts }), { minLength: 1, maxLength: 2 }),
    jwt: fc.record({
      provider: fc.constantFrom("p", "q", "__proto__"),
      claims: seldom(
        fc.array(fc.record({ name, valueType: fc.constantFrom("String", "StringArray"), values: texts }), {
          minLength: 1,
          maxLength: 2,
        }),
      ),
      scopes: seldom(texts),
    }),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const operation = fc.record(
  {
    methods: fc.array(fc.constantFrom("GET", "POST", "OPTIONS"), { minLength: 1, maxLength: 2 }),
    path: fc.record({
      type: fc.constantFrom("Exact", "PathPrefix", "RegularExpression"),
      value: fc.oneof(
        fc.constantFrom("/", "/a/", "/.*", "/[^\\n]{1,5}"),
        hostile.map((text) => `/${text}`),
      ),
      invert: seldom(fc.boolean()),
    }),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const cel = fc.oneof(
  fc.constantFrom(
    ...[
      "true",
      "a",
      "request.headers['x']",
      "1 + 'a'",
      "size()",
      "has(a)",
      "a.matches('(')",
      "a[",
      "-'a'",
      "1 ? 2 : 3",
    ],
    ...["a.b.c.d == {'k': [1, 2.5, null]}", "!a || -b in c", "re.capture(a, '(')", "a % 0 == 1 / 0", "duration('x')"],
    ...["a.matches(b)", "timestamp('x') < 1", "a.getHours('x')", "type(a) == int", "dyn(1)", "bytes('a')", "{a: b}"],
    Array(38).fill("a").join(" && "),
    `${"(".repeat(30)}a${")".repeat(30)}`,
    `${"-".repeat(38)}a`,
  ),
  hostile,
);
/** What allows nothing to anybody by itself: something else has to ask for credentials where it allows others. */
export const authorization = fc.record({
  defaultAction: seldom(fc.constantFrom("Deny", "Allow")),
  rules: fc.array(
    fc.record({
      action: fc.constantFrom("Allow", "Deny"),
      name: seldom(name),
      principal,
      operation: seldom(operation),
      cel: seldom(cel),
    }),
    { maxLength: 3 },
  ),
});
