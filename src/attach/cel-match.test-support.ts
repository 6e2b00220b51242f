/** Expressions that Envoy takes. */
export const good = [
  ...["request.headers['x'] == 'y'", "'x' in request.headers", "has(request.headers.a)", "response.code >= 500"],
  ...["xds.cluster_name == 'a'", "xds.route_metadata.filter_metadata['a']['b'] == 'c'", "connection.mtls", "true"],
  ...["connection.requested_server_name.startsWith('a')", "response.code in [200, 404]", "!(a && b) || c", "null_type"],
  ...["response.code == 200 ? true : false", "size(request.headers) > 0", "request.duration > duration('1s')"],
  ...["request.time.getHours('UTC') == 1", "request.path.matches('^/a.*') // why", "re.extract('a', 'b', 'c') == 'a'"],
  ...[
    "r'\\d' == b'abc'",
    "'''a'b''' == '\\u00e9\\x41'",
    "1u == 0x1F",
    "1e5 > -.5",
    ".response.code == 200",
    "--1 == 1",
  ],
  ...["google.protobuf.Duration{seconds: 1} == duration('1s')", "a.`b-c` == 1", "{'a': 1}['a'] == 1", "!!true"],
  ...[
    "matches(request.path, 'a')",
    "'a'.matches(request.path)",
    "a.matches('')",
    "1 + 'a' == 2.0",
    "no.such.attribute",
  ],
  ...[
    "filter_state['a'] == b'a'",
    "metadata.filter_metadata['a'] == {}",
    "upstream.address == '1.2.3.4'",
    "_ == __a__",
  ],
  ...["dyn(bool('true')) || int('1') == 1 && double(1) > 0.0", "[1, ] == [1] && {'a': 1, } == {}", "bytes('a') == b''"],
];

/** What Envoy refuses, and what is said of it. */
export const bad: Readonly<Record<string, string>> = {
  "": "is no expression of CEL (Unexpected token: EOF); correct it",
  "response.code = 200": "is no expression of CEL",
  "request.headers['x'": "is no expression of CEL",
  "a b": "is no expression of CEL",
  "request.headers[]": "is no expression of CEL",
  "'unterminated": "is no expression of CEL",
  "namespace == 'a'": "is no expression of CEL",
  "has(request.headers['a'])": "calls has() with something that is no field",
  "request.headers.exists(k, k == 'a')": "calls exists(), which Envoy does not have",
  "[1].map(x, x)[0] == 1": "calls map(), which Envoy does not have",
  "string(response.code) == '200'": "calls string(), which Envoy does not have",
  "response.code >= 500 && request.path.lowerAscii() == 'a'": "calls lowerAscii(), which Envoy does not have",
  "{'a': [no(1)]} == {}": "calls no(), which Envoy does not have",
  "request.path.contains('a', 'b')": "calls contains() with 2 arguments",
  "request.path.matches('[')": 'calls matches() with "[", which is no regular expression of RE2',
};
