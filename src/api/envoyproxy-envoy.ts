import { moduleName } from "./cluster-settings-load-balancer.ts";
import { anything, choice, flag, list, map, object, required, text } from "./schema.ts";
import { duration } from "./shared-schemas.ts";

/** Parts of an EnvoyProxy that change Envoy itself rather than where it runs. */

/** HTTP filters in the order in which they stand when nothing else is said. The router, always last, is not among them. */
export const orderedFilters = [
  "envoy.filters.http.custom_response",
  "envoy.filters.http.health_check",
  "envoy.filters.http.fault",
  "envoy.filters.http.cors",
  "envoy.filters.http.csrf",
  "envoy.filters.http.header_mutation",
  "envoy.filters.http.ext_authz",
  "envoy.filters.http.api_key_auth",
  "envoy.filters.http.basic_auth",
  "envoy.filters.http.oauth2",
  "envoy.filters.http.jwt_authn",
  "envoy.filters.http.stateful_session",
  "envoy.filters.http.buffer",
  "envoy.filters.http.lua",
  "envoy.filters.http.ext_proc",
  "envoy.filters.http.wasm",
  "envoy.filters.http.dynamic_modules",
  "envoy.filters.http.geoip",
  "envoy.filters.http.rbac",
  "envoy.filters.http.local_ratelimit",
  "envoy.filters.http.ratelimit",
  "envoy.filters.http.bandwidth_limit",
  "envoy.filters.http.grpc_web",
  "envoy.filters.http.grpc_stats",
  "envoy.filters.http.credential_injector",
  "envoy.filters.http.compressor",
  "envoy.filters.http.dynamic_forward_proxy",
] as const;

export type OrderedFilter = (typeof orderedFilters)[number];

export const filterOrder = list(
  "Moves HTTP filters out of their usual order; applied one after the other.",
  object(
    "Moves a filter.",
    {
      name: required(choice("The filter to move.", orderedFilters)),
      before: choice("Move it in front of the first filter of this name.", orderedFilters),
      after: choice("Move it behind the last filter of this name.", orderedFilters),
    },
    { rules: [{ rule: "has(self.before) != has(self.after)", message: "set one of before and after" }] },
  ),
);

export const bootstrap = object(
  "Changes Envoy's static configuration.",
  {
    type: choice(
      "Replace takes value instead, Merge merges it over, JSONPatch applies jsonPatches.",
      ["Merge", "Replace", "JSONPatch"],
      { default: "Replace" },
    ),
    value: text("Configuration in YAML; for Replace and Merge."),
    jsonPatches: list(
      "Operations of RFC 6902; for JSONPatch.",
      object("An operation.", {
        op: required(choice("What to do.", ["add", "remove", "replace", "move", "copy", "test"])),
        path: text("JSON pointer to the field; appended to what jsonPath finds, if that is given."),
        jsonPath: text("JSONPath that selects the places to change."),
        from: text("JSON pointer to the source; for move and copy."),
        value: anything("The new value; for add, replace and test.", { anyType: true }),
      }),
    ),
  },
  {
    rules: [
      {
        rule: "self.type == 'JSONPatch' ? (has(self.jsonPatches) && self.jsonPatches.size() > 0) : has(self.value)",
        message: "type JSONPatch needs jsonPatches, the others value",
      },
    ],
  },
);

const level = choice("A level.", ["trace", "debug", "info", "warn", "error", "off", "critical"]);

export const logging = object(
  "What Envoy logs about itself.",
  {
    level: map("Level by component; `default` is that of all others.", level, { default: { default: "warn" } }),
  },
  { default: { level: { default: "warn" } } },
);

export const shutdown = object("How an Envoy is ended.", {
  drainTimeout: duration("Longest time to wait for connections to end; 60s when left out."),
  minDrainDuration: duration("Shortest time to keep serving, so that load balancers notice; 10s when left out."),
  healthCheckFailureDelay: duration(
    "Time to drain connections before health checks begin to fail; they fail at once when left out.",
  ),
});

const database = (what: string) =>
  object(`Database of ${what}.`, {
    local: required(
      object("A file in Envoy's container.", {
        path: required(text("Path of the file.", { pattern: "^.*\\.mmdb$" })),
      }),
    ),
  });

export const geoIP = object("Databases that tell where addresses are.", {
  provider: required(
    object(
      "Where the databases come from.",
      {
        type: required(choice("Kind of the databases.", ["MaxMind"])),
        maxMind: object(
          "Databases of MaxMind's format; for type MaxMind.",
          {
            cityDbSource: database("cities"),
            countryDbSource: database("countries"),
            asnDbSource: database("networks (AS numbers)"),
            ispDbSource: database("providers"),
            anonymousIpDbSource: database("anonymising services"),
          },
          {
            rules: [
              {
                rule: "has(self.cityDbSource) || has(self.countryDbSource) || has(self.asnDbSource) || has(self.ispDbSource) || has(self.anonymousIpDbSource)",
                message: "name at least one database",
              },
            ],
          },
        ),
      },
      {
        rules: [
          { rule: "self.type != 'MaxMind' || has(self.maxMind)", message: "type MaxMind needs the field maxMind" },
        ],
      },
    ),
  ),
});

const validationTypes = ["Strict", "InsecureSyntax", "Disabled"] as const;

const allowed = (what: string, rule: string, item: string, maxLength: number) =>
  list(what, text(item, { minLength: 1, maxLength }), {
    maxItems: 64,
    rules: [
      { rule: "self.all(e, e.trim() != '')", message: "no item may be blank" },
      ...(rule === "" ? [] : [{ rule, message: "no item may be the root of the file system" }]),
    ],
  });

export const luaValidation = choice("Older name of lua.validationType.", validationTypes);

export const lua = object(
  "How Lua code of EnvoyExtensionPolicies is judged before Envoy gets it.",
  {
    validationType: choice(
      "Strict runs it in a sandbox, InsecureSyntax only reads it, Disabled trusts it.",
      validationTypes,
      {
        default: "Strict",
      },
    ),
    strictValidation: object("What the sandbox allows; for Strict.", {
      allowedEnvVars: allowed("Environment variables that code may read.", "", "Name of a variable.", 256),
      allowedPaths: allowed(
        "Folders that code may read files from.",
        "self.all(p, !p.matches('^/+$'))",
        "Path of a folder.",
        4096,
      ),
    }),
  },
  {
    rules: [
      {
        rule: "!has(self.strictValidation) || !has(self.validationType) || self.validationType == 'Strict'",
        message: "strictValidation is for validationType Strict",
      },
    ],
  },
);

export const dynamicModules = list(
  "Shared libraries that extend Envoy; policies refer to them by name.",
  object("A module.", {
    name: required(moduleName("Name for policies to refer to.")),
    doNotClose: flag("Keep the library loaded when nothing uses it any more.", { default: false }),
    loadGlobally: flag("Let other libraries see its symbols.", { default: false }),
    source: required(
      object(
        "Where the library is.",
        {
          type: choice("Kind of the place.", ["Local", "Remote"], { default: "Local" }),
          local: object("A file in Envoy's container; for type Local.", {
            path: required(text("Path of the file.", { minLength: 1, maxLength: 4096 })),
          }),
          remote: object("A file to fetch; for type Remote.", {
            url: required(
              text("Address of the file.", {
                minLength: 1,
                maxLength: 4096,
                pattern: "^https?://[^/?#]+(?:[/?#].*)?$",
              }),
            ),
            sha256: required(text("Hash of the file.", { pattern: "^[a-f0-9]{64}$" })),
          }),
        },
        {
          rules: [
            {
              rule: "(self.type == 'Local') == has(self.local)",
              message: "local belongs to type Local, which needs it",
            },
            {
              rule: "(self.type == 'Remote') == has(self.remote)",
              message: "remote belongs to type Remote, which needs it",
            },
          ],
        },
      ),
    ),
  }),
  { maxItems: 16, mapKeys: ["name"] },
);
