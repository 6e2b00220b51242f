/** Characters of a header name (RFC 9110 section 5.1). */
const tokenPattern = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
const MAX_HEADER_NAME_LENGTH = 256;
const MAX_HEADER_VALUE_LENGTH_BYTES = 16 * 1024;
const forbiddenInValue = /[\0\r\n]/;

/** Completes a sentence that begins with the field. */
export function findLengthFault(text: string, lengthMax: number): string | undefined {
  return text.length > lengthMax ? `has more than ${lengthMax} characters; shorten it` : undefined;
}

/** Why Envoy would refuse a header name; completes a sentence that begins with the field. */
export function findHeaderNameFault(name: string): string | undefined {
  return findTokenFault(name, "header name");
}

/** The same for what else has the syntax of a header name (RFC 9110, token). */
export function findTokenFault(name: string, what: string): string | undefined {
  const fault = findLengthFault(name, MAX_HEADER_NAME_LENGTH);
  if (fault !== undefined) return fault;
  return tokenPattern.test(name) ? undefined : `is "${name}", which is no ${what}; use letters, digits and hyphens`;
}

/** Why Envoy would refuse to set, add or remove a header. */
export function findModifiedHeaderFault(name: string): string | undefined {
  if (name.toLowerCase() === "host") {
    return "is Host, which Envoy does not modify like other headers; use a URLRewrite filter with hostname";
  }
  return findHeaderNameFault(name);
}

/** Why Envoy would refuse a header value. The value itself is not repeated: it may be a secret. */
export function findHeaderValueFault(value: string): string | undefined {
  if (Buffer.byteLength(value) > MAX_HEADER_VALUE_LENGTH_BYTES) {
    return `has more than ${MAX_HEADER_VALUE_LENGTH_BYTES} bytes; shorten it`;
  }
  return forbiddenInValue.test(value) ? "holds a line break or a null character; remove it" : undefined;
}
