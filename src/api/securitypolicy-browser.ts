import { flag, list, object, text } from "./schema.ts";
import { duration, fraction } from "./shared-schemas.ts";

/** What a SecurityPolicy says of requests that web pages of other origins send. */

/** The text of the published schema. A backtracking engine may take for ever over it. */
const publishedOrigin = "^(\\*|[A-Za-z][A-Za-z0-9+.-]*:\\/\\/(\\*|(\\*\\.)?(([\\w-]+\\.?)+)?[\\w-]+)(:\\d{1,5})?)$";
/** Takes the same texts, each in linear time. */
const linearOrigin = "^(\\*|[A-Za-z][A-Za-z0-9+.-]*:\\/\\/(\\*|(\\*\\.)?[\\w-]+(\\.[\\w-]+)*)(:\\d{1,5})?)$";

function origin(description: string) {
  return text(description, { minLength: 1, maxLength: 253, pattern: linearOrigin, publishedPattern: publishedOrigin });
}

export const cors = object("Lets web pages of other origins read answers (CORS).", {
  allowOrigins: list(
    "Origins whose pages may.",
    origin(
      "An origin, such as https://app.example.com. A leading *. stands for any subdomains, * alone for any host or origin.",
    ),
  ),
  allowMethods: list("Methods that they may use; * for any.", text("A method.")),
  allowHeaders: list("Headers that they may send; * for any.", text("Name of a header.")),
  exposeHeaders: list("Headers of answers that they may read; * for any.", text("Name of a header.")),
  maxAge: duration("How long a browser may remember what it was allowed."),
  allowCredentials: flag("Whether they may send cookies and credentials; false when left out."),
});

export const csrf = object(
  "Refuses requests that change something and come from a page of another origin than their host (CSRF).",
  {
    additionalOrigins: list(
      "Origins whose pages may send such requests, beside the host's own.",
      origin("An origin, written as in cors.allowOrigins."),
      { maxItems: 16 },
    ),
    shadowFraction: fraction(
      "Part of the requests that are judged and counted but not refused; all others are refused.",
    ),
  },
);
