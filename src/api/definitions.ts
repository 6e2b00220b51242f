import { backendDefinition } from "./backend.ts";
import { backendTrafficPolicyDefinition } from "./backendtrafficpolicy.ts";
import { clientTrafficPolicyDefinition } from "./clienttrafficpolicy.ts";
import { envoyProxyDefinition } from "./envoyproxy.ts";
import { httpRouteFilterDefinition } from "./httproutefilter.ts";
import type { KindDefinition } from "./schema.ts";
import { securityPolicyDefinition } from "./securitypolicy.ts";
import { staticBackendDefinition } from "./static-backend.ts";

/** Our policy kinds; their CustomResourceDefinitions are `crds/`. */
export const policyDefinitions: readonly KindDefinition[] = [
  backendDefinition,
  backendTrafficPolicyDefinition,
  clientTrafficPolicyDefinition,
  envoyProxyDefinition,
  httpRouteFilterDefinition,
  securityPolicyDefinition,
];

/** Kinds of other gateways that we accept; their CustomResourceDefinitions are `config/compat/`. */
export const compatDefinitions: readonly KindDefinition[] = [staticBackendDefinition];
