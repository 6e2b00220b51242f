import type { ReportFault } from "./model.ts";
import type { LoginModel, LoginSettings } from "./oidc.ts";

const REDIRECT_URL = "%REQ(x-forwarded-proto)%://%REQ(:authority)%/oauth2/callback";
/** Scheme and host are written down or the request's own; what comes behind is a plain path. */
const redirect =
  /^(https?|%REQ\(x-forwarded-proto\)%):\/\/([a-z0-9.:[\]-]+|%REQ\((:authority|host)\)%)(\/[A-Za-z0-9._~!$&'()*+,;=:@/-]+)$/i;
const plainPath = /^\/[A-Za-z0-9._~!$&'()*+,;=:@/-]+$/;
/** RFC 6749, section 3.3. */
const scope = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const printable = /^[\x21-\x7e]+$/;
const ITEMS_MAX = 64;
const TEXT_LENGTH_MAX = 1024;

/** Where users come back to and leave. */
export function planRedirect(
  redirectUrl = REDIRECT_URL,
  logoutPath: string,
  report: ReportFault,
): Pick<LoginModel, "redirectUrl" | "redirectPath"> | undefined {
  const redirectPath = redirectUrl.length > TEXT_LENGTH_MAX ? undefined : redirect.exec(redirectUrl)?.[4];
  if (redirectPath === undefined) {
    report(
      "redirectURL",
      `is no address that users can come back to; write one like ${REDIRECT_URL}, with a path of its own`,
    );
    return undefined;
  }
  if (logoutPath.length > TEXT_LENGTH_MAX || !plainPath.test(logoutPath)) {
    report(
      "logoutPath",
      "is no plain path; begin it with a slash, and leave out what is encoded, queries and fragments",
    );
    return undefined;
  }
  if (logoutPath !== redirectPath) return { redirectUrl, redirectPath };
  report("logoutPath", "is the path of redirectURL too; use another one");
  return undefined;
}

export function judgeLogin({ scopes = [], resources = [] }: LoginSettings, report: ReportFault): void {
  for (const [field, texts] of Object.entries({ scopes, resources })) {
    if (texts.length > ITEMS_MAX) report(field, `has more than ${ITEMS_MAX} items; leave some out`);
  }
  for (const [index, text] of scopes.entries()) {
    if (text.length > TEXT_LENGTH_MAX || !scope.test(text)) {
      report(`scopes[${index}]`, `is no scope; write one word of at most ${TEXT_LENGTH_MAX} characters`);
    }
  }
  for (const [index, text] of resources.entries()) {
    const isAddress = printable.test(text) && URL.canParse(text) && !text.includes("#");
    if (text.length > TEXT_LENGTH_MAX || !isAddress) {
      report(
        `resources[${index}]`,
        `is no address; write one of at most ${TEXT_LENGTH_MAX} characters without a fragment`,
      );
    }
  }
}
