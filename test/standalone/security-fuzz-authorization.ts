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
/** What allows nothing to anybody by itself: something else has to ask for credentials where it allows others. */
export const authorization = fc.record({
  defaultAction: seldom(fc.constantFrom("Deny", "Allow")),
  rules: fc.array(
    fc.record({
      action: fc.constantFrom("Allow", "Deny"),
      name: seldom(name),
      principal,
      operation: seldom(operation),
    }),
    { maxLength: 3 },
  ),
});
