import { choice, defineKind, flag, list, type ObjectOf, object, required, text } from "./schema.ts";
import { conditions, dnsName, localReference, port, secretReference } from "./shared-schemas.ts";
import { tlsFields, tlsRules } from "./tls-settings.ts";

const ipAddress =
  "^((25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\\.){3}(25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)$|" +
  "^(([0-9a-fA-F]{1,4}:){1,7}[0-9a-fA-F]{1,4}|::|(([0-9a-fA-F]{1,4}:){0,5})?(:[0-9a-fA-F]{1,4}){1,2})$";

const endpoint = object(
  "An address to which requests are sent: exactly one of fqdn, ip and unix.",
  {
    fqdn: object("A host name that Envoy resolves by DNS.", {
      hostname: required(dnsName("Name to resolve; a final dot keeps search domains out.", { trailingDot: true })),
      port: required(port("Port to connect to.")),
    }),
    ip: object("An IPv4 or IPv6 address.", {
      address: required(text("The address.", { minLength: 3, maxLength: 45, pattern: ipAddress })),
      port: required(port("Port to connect to.")),
    }),
    unix: object("A Unix domain socket on the machine that Envoy runs on.", {
      path: required(
        text("Path of the socket.", {
          rules: [
            {
              rule: "size(self) <= 108",
              message: "must have at most 108 characters, the limit of the operating system",
            },
          ],
        }),
      ),
    }),
    hostname: dnsName(
      "Host name of this endpoint: for health checks, and as SNI with tls.autoSNIFromEndpointHostname.",
    ),
    zone: text("Zone in which the endpoint runs, for zone-aware load balancing."),
  },
  {
    rules: [
      { rule: "has(self.fqdn) || has(self.ip) || has(self.unix)", message: "set one of fqdn, ip and unix" },
      {
        rule: "[has(self.fqdn), has(self.ip), has(self.unix)].filter(x, x).size() <= 1",
        message: "fqdn, ip and unix exclude one another: set only one of them",
      },
    ],
  },
);

const tls = object(
  "Speak TLS to the endpoints, and how to verify them.",
  {
    caCertificateRefs: list(
      "ConfigMaps (or Secrets) whose ca.crt holds the authorities that may sign the endpoints' certificates.",
      localReference("An object that holds authorities."),
      { maxItems: 8 },
    ),
    wellKnownCACertificates: text("Trust a well-known set of authorities; System is that of the proxy's own system.", {
      minLength: 1,
      maxLength: 253,
      pattern:
        "^(System|([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]))$",
    }),
    insecureSkipVerify: flag("Accept any certificate. Only for tests.", { default: false }),
    sni: dnsName("Server name to ask for in the handshake; it is also the name that the certificate must carry."),
    autoSNIFromEndpointHostname: flag("Ask each endpoint for the certificate of its own hostname."),
    clientCertificateRef: secretReference("TLS Secret with the certificate that Envoy shows to the endpoints."),
    ...tlsFields,
  },
  {
    rules: [
      {
        rule: "!(has(self.caCertificateRefs) && size(self.caCertificateRefs) > 0 && has(self.wellKnownCACertificates) && self.wellKnownCACertificates != '')",
        message: "caCertificateRefs and wellKnownCACertificates exclude one another",
      },
      {
        rule: "!(has(self.insecureSkipVerify) && self.insecureSkipVerify && ((has(self.caCertificateRefs) && size(self.caCertificateRefs) > 0) || (has(self.wellKnownCACertificates) && self.wellKnownCACertificates != '')))",
        message: "insecureSkipVerify turns verification off, so name no authorities beside it",
      },
      {
        rule: "!(has(self.sni) && has(self.autoSNIFromEndpointHostname) && self.autoSNIFromEndpointHostname)",
        message: "sni and autoSNIFromEndpointHostname exclude one another",
      },
      ...tlsRules,
    ],
  },
);

const spec = object(
  "What to reach and how.",
  {
    type: choice(
      "Endpoints: the addresses listed here. DynamicResolver: whatever host the request names, resolved when it arrives.",
      ["Endpoints", "DynamicResolver"],
      { default: "Endpoints" },
    ),
    endpoints: list("Addresses to balance requests over.", endpoint, {
      minItems: 1,
      maxItems: 256,
      rules: [
        {
          rule: "self.all(e, has(e.fqdn)) || !self.exists(e, has(e.fqdn))",
          message: "do not mix fqdn with other kinds of address: put them into a Backend of their own",
        },
      ],
    }),
    appProtocols: list(
      "Protocols that the endpoints speak; HTTP/1.1 when left out.",
      choice("A protocol.", ["gateway.envoyproxy.io/h2c", "gateway.envoyproxy.io/ws", "gateway.envoyproxy.io/wss"]),
    ),
    fallback: flag("Take traffic only while the other backends of the rule cannot."),
    tls,
  },
  {
    rules: [
      {
        rule: "self.type != 'DynamicResolver' || !has(self.endpoints)",
        message: "a DynamicResolver has no endpoints: leave them out",
      },
      {
        rule: "self.type != 'DynamicResolver' || !has(self.tls) || !has(self.tls.autoSNIFromEndpointHostname) || !self.tls.autoSNIFromEndpointHostname",
        message: "a DynamicResolver has no endpoint hostnames for tls.autoSNIFromEndpointHostname",
      },
      {
        rule: "!has(self.tls) || !has(self.tls.autoSNIFromEndpointHostname) || !self.tls.autoSNIFromEndpointHostname || !has(self.endpoints) || self.endpoints.all(e, has(e.fqdn) || has(e.hostname))",
        message: "with tls.autoSNIFromEndpointHostname every ip and unix endpoint needs a hostname",
      },
    ],
  },
);

export const backendDefinition = defineKind({
  group: "gateway.envoyproxy.io",
  version: "v1alpha1",
  kind: "Backend",
  plural: "backends",
  shortNames: ["be"],
  categories: ["envoy-gateway"],
  description: "A destination of routes that is not a Service: addresses, host names or sockets.",
  printerColumns: [
    { name: "Type", type: "string", jsonPath: ".spec.type" },
    { name: "Host", type: "string", jsonPath: ".spec.endpoints[0].fqdn.hostname", priority: 1 },
    { name: "IP", type: "string", jsonPath: ".spec.endpoints[0].ip.address", priority: 1 },
    { name: "Status", type: "string", jsonPath: '.status.conditions[?(@.type=="Accepted")].reason' },
    { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  spec,
  status: object("What became of the Backend.", { conditions: conditions("Whether the Backend is accepted.") }),
});

/** Destination of routes, group `gateway.envoyproxy.io`. */
export type Backend = ObjectOf<typeof backendDefinition>;
export type BackendEndpointSpec = NonNullable<Backend["spec"]["endpoints"]>[number];
export type BackendTls = NonNullable<Backend["spec"]["tls"]>;
