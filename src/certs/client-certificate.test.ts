import { expect, test } from "@jest/globals";
import { RATE_LIMIT_FLEET, RATE_LIMIT_NODE } from "../attach/rate-limit.ts";
import { authorizeByCertificate } from "./client-certificate.ts";

const authorize = authorizeByCertificate("system");
const limits = "URI:spiffe://system.gatehouse/rate-limit";
const gateway = "URI:spiffe://system.gatehouse/gateway/a/b";

test.each([
  [limits, { id: RATE_LIMIT_NODE }, RATE_LIMIT_FLEET],
  [gateway, { id: "pod", cluster: "a/b" }, "a/b"],
  // Neither gets what is the other's.
  [gateway, { id: RATE_LIMIT_NODE }, undefined],
  [limits, { id: "pod" }, undefined],
  [limits, { id: RATE_LIMIT_NODE, cluster: "a/b" }, undefined],
  [limits, { id: RATE_LIMIT_NODE, cluster: RATE_LIMIT_FLEET }, undefined],
  [gateway, { id: "pod", cluster: RATE_LIMIT_FLEET }, undefined],
  ["URI:spiffe://other.gatehouse/rate-limit", { id: RATE_LIMIT_NODE }, undefined],
  [undefined, { id: RATE_LIMIT_NODE }, undefined],
])("%s as %j gets %s", (subjectaltname, claim, served) => {
  const certificate = subjectaltname === undefined ? undefined : { subjectaltname };
  const decision = authorize({ certificate }, claim);
  expect("gateway" in decision ? decision.gateway : undefined).toBe(served);
});
