import { validateObject } from "../../api/kinds.ts";
import type { SecurityPolicy } from "../../api/securitypolicy.ts";
import type { ResolveReader } from "../resolve-reader.ts";
import type { SecurityPlan } from "./model.ts";
import { planSecurity } from "./plan.ts";

/** What a SecurityPolicy with such settings comes to. @throws Error for one that an API server would not take */
export function planWritten(
  settings: object,
  read: ResolveReader,
  { kind = "HTTPRoute", name = "p", namespace = "a" } = {},
): SecurityPlan {
  const { object, problems } = validateObject({
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "SecurityPolicy",
    metadata: { name, namespace },
    spec: { targetRefs: [{ group: "gateway.networking.k8s.io", kind, name: "r" }], ...settings },
  });
  if (object === undefined || problems.length > 0) throw new Error(JSON.stringify(problems));
  return planSecurity(object as unknown as SecurityPolicy, read);
}
