import { CIDR } from "./cidr.ts";
import { byteSize, choice, flag, integer, list, object, required, text } from "./schema.ts";
import { duration, headers, stringMatch } from "./shared-schemas.ts";

const MAX_EARLY_HEADERS = 64;

function headerChanges(description: string) {
  const limits = { minItems: 1, maxItems: MAX_EARLY_HEADERS };
  return object(description, {
    set: headers("Headers to write, replacing any value they have.", limits),
    add: headers("Headers to write in addition to values they already have.", limits),
    addIfAbsent: headers("Headers to write where there is none of the name.", limits),
    remove: list("Names of headers to take away.", text("Name of a header."), { ...limits, set: true }),
    removeOnMatch: list("Headers to take away whose name matches.", stringMatch("A match of names."), limits),
  });
}

const xForwardedClientCert = object(
  "What becomes of the header x-forwarded-client-cert.",
  {
    mode: choice(
      "Sanitize takes it away, which is the default; ForwardOnly, AppendForward and SanitizeSet apply to clients with a certificate; AlwaysForwardOnly to all.",
      ["Sanitize", "ForwardOnly", "AppendForward", "SanitizeSet", "AlwaysForwardOnly"],
    ),
    certDetailsToAdd: list(
      "What to tell of the client's certificate; for AppendForward and SanitizeSet.",
      choice("A detail.", ["Subject", "Cert", "Chain", "DNS", "URI"]),
      { maxItems: 5 },
    ),
  },
  {
    rules: [
      {
        rule: "!has(self.certDetailsToAdd) || size(self.certDetailsToAdd) == 0 || (has(self.mode) && self.mode in ['AppendForward', 'SanitizeSet'])",
        message: "certDetailsToAdd is for the modes AppendForward and SanitizeSet",
      },
    ],
  },
);

export const clientHeaders = object(
  "What becomes of headers.",
  {
    enableEnvoyHeaders: flag("Send the x-envoy headers to clients and backends."),
    disableRateLimitHeaders: flag("Leave out the x-ratelimit headers of global rate limits."),
    xForwardedClientCert,
    withUnderscoresAction: choice("What to do with names that hold an underscore; RejectRequest when left out.", [
      "Allow",
      "RejectRequest",
      "DropHeader",
    ]),
    preserveXRequestID: flag("Not used any more: write requestID."),
    requestID: choice("What becomes of x-request-id; Generate when left out.", [
      "PreserveOrGenerate",
      "Preserve",
      "Generate",
      "Disable",
    ]),
    earlyRequestHeaders: headerChanges(
      "Changes before anything else, such as the choice of a route, sees the request.",
    ),
    lateResponseHeaders: headerChanges("Changes after everything else has seen the answer."),
    maxRequestHeaderLimit: byteSize("Bytes that all headers of a request may have together; 60Ki when left out."),
    host: object("What becomes of the host.", {
      stripTrailingHostDot: flag("Take the final dot of a host away."),
    }),
  },
  {
    rules: [
      {
        rule: "!(has(self.preserveXRequestID) && has(self.requestID))",
        message: "preserveXRequestID is the older way of requestID: write one of them",
      },
    ],
  },
);

export const clientIPDetection = object(
  "How the address of the client is found out; the peer of the connection when left out.",
  {
    xForwardedFor: object(
      "From the header x-forwarded-for.",
      {
        numTrustedHops: integer("Proxies before this one that are trusted: so many addresses are skipped.", {
          format: "int32",
        }),
        trustedCIDRs: list(
          "Addresses of trusted proxies: they are skipped.",
          text("Range of addresses.", { pattern: CIDR }),
          {
            minItems: 1,
          },
        ),
        disableXForwardedForAppend: flag("Do not append the peer's own address to the header."),
      },
      {
        rules: [
          {
            rule: "has(self.numTrustedHops) != has(self.trustedCIDRs)",
            message: "set exactly one of numTrustedHops and trustedCIDRs",
          },
        ],
      },
    ),
    customHeader: object("From a header of another proxy.", {
      name: required(text("Name of the header.", { minLength: 1, maxLength: 255, pattern: "^[A-Za-z0-9-]+$" })),
      failClosed: flag("Refuse requests without a usable address with 403."),
    }),
    directSourceIP: object("The peer of the connection, whatever headers say.", {}),
  },
  {
    rules: [
      {
        rule: "[has(self.xForwardedFor), has(self.customHeader), has(self.directSourceIP)].filter(x, x).size() == 1",
        message: "set exactly one of xForwardedFor, customHeader and directSourceIP",
      },
    ],
  },
);

export const clientTimeout = object("How long to wait for clients.", {
  tcp: object("Timeouts of connections.", {
    idleTimeout: duration("Time without any byte after which a TCP connection is closed; 1h when left out."),
    connectionInspectionTimeout: duration("Time that the first bytes may take from which the protocol is known."),
    tlsHandshakeTimeout: duration("Time that the TLS handshake may take."),
  }),
  http: object("Timeouts of HTTP.", {
    requestReceivedTimeout: duration("Time that a request may take to arrive as a whole."),
    requestHeadersReceivedTimeout: duration("Time that the headers of a request may take to arrive."),
    idleTimeout: duration("Time without requests after which a connection is closed; 1h when left out."),
    streamIdleTimeout: duration("Time without any byte after which a request or stream is ended; 5m when left out."),
  }),
});

export const http1 = object("HTTP/1 of clients.", {
  enableTrailers: flag("Forward trailers."),
  preserveHeaderCase: flag("Keep upper and lower case of header names."),
  http10: object("Answer HTTP/1.0 as well.", {
    useDefaultHost: flag("Take the listener's hostname where the request has no host."),
  }),
  disableSafeMaxConnectionDuration: flag(
    "Close a connection at its maxConnectionDuration at once, without waiting for the request in flight.",
  ),
  ignoredUpgradeTypes: list("Upgrades to leave unanswered rather than refuse.", stringMatch("A match of the type.")),
});

export const clientPath = object("What becomes of paths.", {
  escapedSlashesAction: choice("What to do with %2F and the like; UnescapeAndRedirect when left out.", [
    "KeepUnchanged",
    "RejectRequest",
    "UnescapeAndForward",
    "UnescapeAndRedirect",
  ]),
  disableMergeSlashes: flag("Leave repeated slashes as they are."),
  mergeSlashes: flag("Shorthand for the opposite of disableMergeSlashes."),
});
