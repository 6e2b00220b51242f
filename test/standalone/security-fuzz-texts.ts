import fc from "fast-check";

/** What somebody writes who means no good, or does not know better. */
export const hostile = fc.oneof(
  fc.constantFrom(
    ...["", " ", "*", "%", "%REQ(:path)%", "a\r\nx-injected: 1", "\n", "\u0000", "ü", "\u{1f600}", "..", "/", ":path"],
    ...['"', "'", "\\", "{{x}}", "a:b", "(a+)+$", "[", "(?=a)", "\\C", "-1", "null", "true", "__proto__"],
    ...["constructor", "$patch", "%00", "a,b", "a;b", "a=b", "host", "authorization", "content-length", "x-envoy-"],
  ),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.integer({ min: 200, max: 5000 }).map((length) => "x".repeat(length)),
);
export const usual = fc.constantFrom("x-a", "X-B", "x_c", "user", "Authorization", "cookie", "key");
export const name = fc.oneof({ weight: 3, arbitrary: usual }, hostile);

export const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
