import { anything, choice, flag, integer, object, required, text } from "./schema.ts";

/** Field `rateLimit` of the configuration file: the service that counts for all Envoys together. */
export const rateLimitConfiguration = object(
  "The service that counts global rate limits; without it they are refused.",
  {
    backend: required(
      object(
        "Where it counts.",
        {
          type: required(choice("The kind of database.", ["Redis"])),
          redis: object(
            "The Redis.",
            {
              url: text("Its address, such as redis.example.com:6379; whatever the service understands.", {
                minLength: 1,
              }),
              urlRef: object("A Secret in the namespace of Gatehouse that holds the address.", {
                secretKeyRef: required(
                  object("The key.", {
                    name: required(text("Name of the Secret.", { minLength: 1 })),
                    key: required(text("Key in it.", { minLength: 1 })),
                    optional: flag("Must not be true: without an address nothing can be counted."),
                  }),
                ),
              }),
              tls: object("TLS towards it; without this field there is none.", {
                certificateRef: object(
                  "A Secret in the namespace of Gatehouse with the certificate that the service shows.",
                  {
                    group: choice("The group of Secrets.", [""]),
                    kind: choice("The kind.", ["Secret"]),
                    name: required(text("Name of the Secret, of type kubernetes.io/tls.", { minLength: 1 })),
                  },
                ),
              }),
            },
            {
              rules: [
                { rule: "has(self.url) != has(self.urlRef)", message: "write one of url and urlRef" },
                {
                  rule: "!has(self.urlRef) || !has(self.urlRef.secretKeyRef.optional) || !self.urlRef.secretKeyRef.optional",
                  message: "urlRef.secretKeyRef.optional must not be true: without an address nothing can be counted",
                },
              ],
            },
          ),
        },
        { rules: [{ rule: "has(self.redis)", message: "type Redis needs the field redis" }] },
      ),
    ),
    timeout: text("How long a request waits for the service; Envoy's own 20ms when left out.", {
      pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$",
    }),
    failClosed: flag("True: while the service does not answer, requests that it would count are answered with 500."),
    telemetry: object("What the service tells about itself.", {
      metrics: object("Its metrics.", {
        prometheus: object("Metrics for Prometheus, on port 19001.", { disable: flag("True: not served.") }),
      }),
    }),
  },
);

/** Field `provider.kubernetes.rateLimitDeployment`: how the service runs. */
export const rateLimitDeployment = object("How the rate limit service runs; only together with rateLimit.", {
  replicas: integer("Pods; 1 when left out.", { format: "int32", minimum: 0 }),
  patch: object("Changes its Deployment after everything else has been worked out.", {
    type: choice("How; StrategicMerge when left out.", ["StrategicMerge", "JSONMerge"]),
    value: required(anything("The patch.", { anyType: true })),
  }),
  container: object("Its container.", {
    image: text("Its image.", {
      pattern: "^[a-zA-Z0-9._-]+(:[0-9]+)?(/[a-zA-Z0-9._/-]+)?(:[a-zA-Z0-9._-]+)?(@sha256:[a-z0-9]+)?$",
    }),
  }),
});

/** Fields beside these, which a patch can say as well. */
export const unservedDeploymentFields: readonly string[] = [
  ...["strategy", "pod", "initContainers", "name"],
  ...["env", "resources", "securityContext", "imageRepository", "volumeMounts"].map((field) => `container.${field}`),
].map((field) => `provider.kubernetes.rateLimitDeployment.${field}`);
