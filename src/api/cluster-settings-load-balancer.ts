import { anything, choice, flag, integer, list, map, object, required, text } from "./schema.ts";
import { duration, percent, servicePort } from "./shared-schemas.ts";

/** Name under which an EnvoyProxy registers a dynamic module. */
export function moduleName(description: string) {
  return text(description, { minLength: 1, maxLength: 253, pattern: "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$" });
}

const headerHash = object("Hashes a header of the request.", { name: required(text("Name of the header.")) });

const consistentHash = object(
  "Sends equal requests to the same endpoint; for type ConsistentHash.",
  {
    type: required(choice("What makes requests equal.", ["SourceIP", "Header", "Headers", "Cookie", "QueryParams"])),
    header: headerHash,
    headers: list("Headers to hash, all of them.", headerHash),
    cookie: object("Hashes a cookie, which Envoy sets when it is missing and has a time to live.", {
      name: required(text("Name of the cookie.")),
      ttl: duration("How long a cookie set by Envoy lives; the session when zero."),
      attributes: map("Further attributes of a cookie set by Envoy.", text("Value of the attribute.")),
    }),
    queryParams: list(
      "Query parameters to hash, all of them.",
      object("A query parameter.", { name: required(text("Name of the parameter.")) }),
    ),
    tableSize: integer("Size of the Maglev table, a prime number.", {
      format: "int64",
      minimum: 2,
      maximum: 5_000_011,
      default: 65_537,
    }),
  },
  {
    rules: [
      { rule: "(self.type == 'Header') == has(self.header)", message: "header belongs to type Header, which needs it" },
      {
        rule: "(self.type == 'Headers') == has(self.headers)",
        message: "headers belongs to type Headers, which needs it",
      },
      { rule: "(self.type == 'Cookie') == has(self.cookie)", message: "cookie belongs to type Cookie, which needs it" },
      {
        rule: "(self.type == 'QueryParams') == has(self.queryParams)",
        message: "queryParams belongs to type QueryParams, which needs it",
      },
    ],
  },
);

const backendUtilization = object(
  "Weighs endpoints by the load that they report (ORCA); for type BackendUtilization.",
  {
    blackoutPeriod: duration("Time that a new endpoint must report before its weight counts."),
    weightExpirationPeriod: duration("Time without a report after which a weight is forgotten."),
    weightUpdatePeriod: duration("Time between computations of the weights."),
    errorUtilizationPenaltyPercent: integer("How much errors lower a weight, in percent.", {
      format: "int32",
      minimum: 0,
    }),
    keepResponseHeaders: flag("Let the client see the headers with the reports.", { default: false }),
    metricNamesForComputingUtilization: list("Reported figures to use when there is no utilization.", text("A name.")),
    outOfBand: object("Asks endpoints for reports on a stream of its own.", {
      reportingPeriod: duration("Time between reports.", {
        rules: [{ rule: "duration(self) > duration('0s')", message: "must be longer than 0s" }],
      }),
      port: servicePort("Port to ask; that of the requests when left out."),
      authority: text("Host to ask for.", { minLength: 1, maxLength: 259, pattern: "^[^\\x00\\n\\r]*$" }),
    }),
  },
);

const zoneAware = object("Takes the zones of endpoints into account.", {
  preferLocal: object("Prefers endpoints in the zone of the Envoy that has the request.", {
    minEndpointsThreshold: integer("Endpoints in all below which zones do not count; 6 when left out.", {
      format: "int64",
    }),
    percentageEnabled: percent("Part of the requests to which the preference applies, in percent."),
    force: object("Stays in the zone even if that is uneven.", {
      minEndpointsInZoneThreshold: integer("Endpoints that the zone must have; 1 when left out.", { format: "int32" }),
    }),
  }),
  weightedZones: list(
    "Shares of zones, wherever the request came in.",
    object("Share of a zone.", {
      zone: required(text("Name of the zone.")),
      weight: required(integer("Share, relative to the other zones.", { format: "int32" })),
    }),
    { mapKeys: ["zone"] },
  ),
});

export const loadBalancer = object(
  "How endpoints are chosen.",
  {
    type: required(
      choice("The way of choosing.", [
        "ConsistentHash",
        "LeastRequest",
        "Random",
        "RoundRobin",
        "BackendUtilization",
        "DynamicModule",
      ]),
    ),
    consistentHash,
    backendUtilization,
    dynamicModule: object("Lets a dynamic module choose; for type DynamicModule.", {
      name: required(moduleName("Name of the module in the EnvoyProxy.")),
      lbPolicyName: required(text("Policy to ask the module for.", { minLength: 1, maxLength: 253 })),
      config: anything("Configuration for the module.", { anyType: true }),
    }),
    slowStart: object("Gives new endpoints their share little by little.", {
      window: required(duration("Time until an endpoint has its full share.")),
    }),
    zoneAware,
    endpointOverride: object("Lets a request name the endpoint that it wants.", {
      extractFrom: required(
        list(
          "Where the address may be found; the first that has one counts.",
          object("A place.", { header: text("Header with the address.") }),
          { minItems: 1, maxItems: 10 },
        ),
      ),
    }),
  },
  {
    rules: [
      {
        rule: "(self.type == 'ConsistentHash') == has(self.consistentHash)",
        message: "consistentHash belongs to type ConsistentHash, which needs it",
      },
      {
        rule: "(self.type == 'BackendUtilization') == has(self.backendUtilization)",
        message: "backendUtilization belongs to type BackendUtilization, which needs it",
      },
      {
        rule: "(self.type == 'DynamicModule') == has(self.dynamicModule)",
        message: "dynamicModule belongs to type DynamicModule, which needs it",
      },
      {
        rule: "!has(self.slowStart) || self.type in ['RoundRobin', 'LeastRequest', 'BackendUtilization']",
        message: "slowStart is for the types RoundRobin, LeastRequest and BackendUtilization",
      },
      {
        rule: "!has(self.zoneAware) || !has(self.zoneAware.preferLocal) || !(self.type in ['ConsistentHash', 'BackendUtilization'])",
        message: "zoneAware.preferLocal is not for this type: use weightedZones",
      },
      {
        rule: "self.type != 'DynamicModule' || (!has(self.zoneAware) && !has(self.endpointOverride))",
        message: "zoneAware and endpointOverride are not for type DynamicModule",
      },
      {
        rule: "!has(self.zoneAware) || !has(self.zoneAware.preferLocal) || !has(self.zoneAware.weightedZones)",
        message: "zoneAware.preferLocal and zoneAware.weightedZones exclude one another",
      },
    ],
  },
);
