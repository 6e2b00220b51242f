import { allTargetsAre, mergeType, policyColumns, policyStatus, targetFields, targetRules } from "./policy-targets.ts";
import { defineKind, type ObjectOf, object } from "./schema.ts";
import { authorization } from "./securitypolicy-authorization.ts";
import { cors, csrf } from "./securitypolicy-browser.ts";
import { apiKeyAuth, basicAuth } from "./securitypolicy-credentials.ts";
import { extAuth } from "./securitypolicy-ext-auth.ts";
import { jwt } from "./securitypolicy-jwt.ts";
import { oidc } from "./securitypolicy-oidc.ts";

const routes = ["HTTPRoute", "GRPCRoute", "TCPRoute"];

const spec = object(
  "Which requests may pass.",
  { ...targetFields, mergeType, apiKeyAuth, cors, csrf, basicAuth, jwt, oidc, extAuth, authorization },
  {
    rules: [
      ...targetRules(["Gateway", "ListenerSet", ...routes]),
      {
        rule: `!has(self.mergeType) || (${allTargetsAre(routes)})`,
        message: "mergeType is for policies of routes only",
      },
      {
        rule: "has(self.jwt) || !has(self.authorization) || !has(self.authorization.rules) || !self.authorization.rules.exists(r, has(r.principal) && has(r.principal.jwt))",
        message: "rules of authorization with principal.jwt need the field jwt",
      },
    ],
  },
);

export const securityPolicyDefinition = defineKind({
  group: "gateway.envoyproxy.io",
  version: "v1alpha1",
  kind: "SecurityPolicy",
  plural: "securitypolicies",
  shortNames: ["sp"],
  categories: ["envoy-gateway"],
  description: "Which requests and connections may pass, and whom they come from.",
  printerColumns: policyColumns,
  spec,
  status: policyStatus,
});

/** Who may use what routes and Gateways serve, group `gateway.envoyproxy.io`. */
export type SecurityPolicy = ObjectOf<typeof securityPolicyDefinition>;
