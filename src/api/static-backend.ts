import { choice, defineKind, integer, list, type ObjectOf, object, required, text } from "./schema.ts";
import { conditions } from "./shared-schemas.ts";

const spec = object(
  "What to reach. Only static lists of hosts are supported.",
  {
    type: choice("Kind of backend; only Static is supported, which is also what an absent type means.", ["Static"]),
    static: object("The list of hosts.", {
      hosts: required(
        list(
          "Hosts to balance requests over.",
          object("A host and its port.", {
            host: required(text("IP address or host name; names are resolved by DNS.", { minLength: 1 })),
            port: required(integer("Port to connect to.", { format: "int32", minimum: 1, maximum: 65535 })),
          }),
          { minItems: 1 },
        ),
      ),
    }),
  },
  {
    rules: [
      {
        rule: "has(self.static)",
        message: "needs the field static: a list of hosts is the only kind of backend supported",
      },
    ],
  },
);

/** Accepted so that users of another gateway can move without editing their backends; its CRD lives in `config/compat`. */
export const staticBackendDefinition = defineKind({
  group: "gateway.kgateway.dev",
  version: "v1alpha1",
  kind: "Backend",
  plural: "backends",
  shortNames: [],
  categories: [],
  description: "A destination of routes: a fixed list of hosts.",
  printerColumns: [
    { name: "Type", type: "string", jsonPath: ".spec.type" },
    { name: "Accepted", type: "string", jsonPath: '.status.conditions[?(@.type=="Accepted")].status' },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  spec,
  status: object("What became of the Backend.", { conditions: conditions("Whether the Backend is accepted.") }),
});

/** Static Backend of group `gateway.kgateway.dev`. */
export type StaticBackend = ObjectOf<typeof staticBackendDefinition>;
