import { flag, list, object, required, text } from "./schema.ts";
import { secretReference } from "./shared-schemas.ts";

/** Credentials that stand in Secrets and that clients send with each request. */

export const basicAuth = object("Asks for user and password (HTTP Basic).", {
  users: required(
    secretReference(
      "Secret with the users under the key .htpasswd: a line user:{SHA}hash for each. Other hashes than SHA-1 are refused.",
    ),
  ),
  forwardUsernameHeader: text("Header in which the backend is told the user; none when left out."),
});

const extractFrom = object(
  "A place to look for keys in.",
  {
    headers: list("Names of headers.", text("A name.", { minLength: 1 }), { minItems: 1 }),
    params: list("Names of query parameters.", text("A name.", { minLength: 1 }), { minItems: 1 }),
    cookies: list("Names of cookies.", text("A name.", { minLength: 1 }), { minItems: 1 }),
  },
  {
    rules: [
      {
        rule: "has(self.headers) ? !has(self.params) && !has(self.cookies) : has(self.params) != has(self.cookies)",
        message: "set exactly one of headers, params and cookies",
      },
    ],
  },
);

export const apiKeyAuth = object("Asks for a key.", {
  credentialRefs: required(
    list(
      "Secrets with the keys: each entry is a client and its key. Of a client that several name, the first counts.",
      secretReference("A Secret."),
    ),
  ),
  extractFrom: required(
    list("Where to look for the key; the first place that has one counts.", extractFrom, { minItems: 1 }),
  ),
  forwardClientIDHeader: text("Header in which the backend is told the client; none when left out."),
  sanitize: flag("Whether the key is taken out of the request before it goes to the backend; false when left out."),
});
