import type { ClientTrafficSettings } from "../../attach/client-traffic.ts";
import { pack } from "../../envoy/any.ts";
import type { HeaderMutation } from "../../envoy/generated/envoy/config/common/mutation_rules/v3/mutation_rules.ts";
import { HeaderValueOption_HeaderAppendAction } from "../../envoy/generated/envoy/config/core/v3/base.ts";
import { HttpProtocolOptions_HeadersWithUnderscoresAction } from "../../envoy/generated/envoy/config/core/v3/protocol.ts";
import { HeaderMutation as HeaderMutationFilter } from "../../envoy/generated/envoy/extensions/filters/http/header_mutation/v3/header_mutation.ts";
import {
  type HttpConnectionManager,
  HttpConnectionManager_ForwardClientCertDetails,
  type HttpFilter,
} from "../../envoy/generated/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.ts";
import { HeaderMutation as EarlyHeaderMutation } from "../../envoy/generated/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.ts";
import type { StringMatcher } from "../../envoy/generated/envoy/type/matcher/v3/string.ts";
import { formatHeaderValue } from "../filters/header-format.ts";

type Headers = NonNullable<ClientTrafficSettings["headers"]>;
type HeaderChanges = NonNullable<Headers["earlyRequestHeaders"]>;
type StringMatch = NonNullable<HeaderChanges["removeOnMatch"]>[number];

const KIBIBYTE = 1024;

export const underscoreActions = {
  Allow: HttpProtocolOptions_HeadersWithUnderscoresAction.ALLOW,
  RejectRequest: HttpProtocolOptions_HeadersWithUnderscoresAction.REJECT_REQUEST,
  DropHeader: HttpProtocolOptions_HeadersWithUnderscoresAction.DROP_HEADER,
} as const;

/** Whether Envoy makes an x-request-id, and whether it keeps one that comes from outside. */
const requestIds = {
  PreserveOrGenerate: { generateRequestId: true, preserveExternalRequestId: true },
  Preserve: { generateRequestId: false, preserveExternalRequestId: true },
  Generate: { generateRequestId: true, preserveExternalRequestId: false },
  Disable: { generateRequestId: false, preserveExternalRequestId: false },
} as const;

/** Envoy that makes none keeps the client's, from outside too. */
const dropRequestId: HeaderMutation = { remove: "x-request-id" };

/** What of `spec.headers` the HTTP connection manager itself does. */
export function buildClientHeaders(headers: Headers, headerBytesMax: number | undefined): HttpConnectionManager {
  const { requestID = headers.preserveXRequestID ? "PreserveOrGenerate" : undefined, earlyRequestHeaders } = headers;
  const early = [...(requestID === "Disable" ? [dropRequestId] : []), ...changeHeaders(earlyRequestHeaders)];
  return {
    ...(requestID && requestIds[requestID]),
    ...(headerBytesMax !== undefined && { maxRequestHeadersKb: Math.ceil(headerBytesMax / KIBIBYTE) }),
    ...(headers.host?.stripTrailingHostDot && { stripTrailingHostDot: true }),
    ...(early.length > 0 && {
      earlyHeaderMutationExtensions: [
        {
          name: "envoy.http.early_header_mutation.header_mutation",
          typedConfig: pack(EarlyHeaderMutation, { mutations: early }),
        },
      ],
    }),
    ...(headers.xForwardedClientCert && forwardCertificates(headers.xForwardedClientCert)),
  };
}

const certificateModes = {
  Sanitize: HttpConnectionManager_ForwardClientCertDetails.SANITIZE,
  ForwardOnly: HttpConnectionManager_ForwardClientCertDetails.FORWARD_ONLY,
  AppendForward: HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD,
  SanitizeSet: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
  AlwaysForwardOnly: HttpConnectionManager_ForwardClientCertDetails.ALWAYS_FORWARD_ONLY,
} as const;

function forwardCertificates({
  mode = "Sanitize",
  certDetailsToAdd = [],
}: NonNullable<Headers["xForwardedClientCert"]>): HttpConnectionManager {
  const names = (detail: (typeof certDetailsToAdd)[number]) => certDetailsToAdd.includes(detail);
  return {
    forwardClientCertDetails: certificateModes[mode],
    ...(certDetailsToAdd.length > 0 && {
      setCurrentClientCertDetails: {
        ...(names("Subject") && { subject: true }),
        cert: names("Cert"),
        chain: names("Chain"),
        dns: names("DNS"),
        uri: names("URI"),
      },
    }),
  };
}

/** The last to see an answer, and so the first of the filters. Answers of Envoy's own pass it, too. */
export function buildLateHeaders(headers: Headers | undefined): HttpFilter | undefined {
  const responseMutations = changeHeaders(headers?.lateResponseHeaders);
  if (responseMutations.length === 0) return undefined;
  return {
    name: "envoy.filters.http.header_mutation/late_response_headers",
    typedConfig: pack(HeaderMutationFilter, { mutations: { responseMutations } }),
  };
}

/** Removals come first, so that what is set or added stays. */
function changeHeaders(changes: HeaderChanges | undefined): HeaderMutation[] {
  const { remove = [], removeOnMatch = [], set = [], add = [], addIfAbsent = [] } = changes ?? {};
  const write = (
    headers: NonNullable<HeaderChanges["set"]>,
    appendAction: HeaderValueOption_HeaderAppendAction,
  ): HeaderMutation[] =>
    headers.map(({ name, value }) => ({
      append: { header: { key: name, value: formatHeaderValue(value) }, appendAction },
    }));
  return [
    ...remove.map((name) => ({ remove: name })),
    ...removeOnMatch.map((match) => ({ removeOnMatch: { keyMatcher: matchString(match, true) } })),
    ...write(set, HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
    ...write(add, HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD),
    ...write(addIfAbsent, HeaderValueOption_HeaderAppendAction.ADD_IF_ABSENT),
  ];
}

/** @param ignoreCase of texts that have no case; an expression says so itself */
export function matchString({ type = "Exact", value }: StringMatch, ignoreCase = false): StringMatcher {
  if (type === "RegularExpression") return { safeRegex: { regex: value } };
  const matcher = { Exact: { exact: value }, Prefix: { prefix: value }, Suffix: { suffix: value } }[type];
  return ignoreCase ? { ...matcher, ignoreCase } : matcher;
}
