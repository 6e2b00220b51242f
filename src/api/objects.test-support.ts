import { expect, test } from "@jest/globals";
import { formatFieldProblem } from "./field.ts";
import { validateObject } from "./kinds.ts";

export const gatewayVersion = "gateway.networking.k8s.io/v1";

export type Content = Record<string, unknown>;

/** Rule, an object that keeps it, one that breaks it, and what is said about the latter. */
export type RuleCase = readonly [rule: string, valid: Content, invalid: unknown, problem: string];

/** Objects that keep a rule pass without a word, and those that break it are refused with the right one. */
export function testRules(cases: readonly RuleCase[]): void {
  test.each(cases)("%s", (_, valid, invalid, problem) => {
    expect(complaints(valid)).toEqual([]);
    expect(validateObject(invalid).object).toBeUndefined();
    expect(complaints(invalid)).toEqual(expect.arrayContaining([expect.stringContaining(problem)]));
  });
}

export function complaints(raw: unknown): string[] {
  return validateObject(raw).problems.map(formatFieldProblem);
}

export function objectOf(apiVersion: string, kind: string, content: Content): Content {
  return { apiVersion, kind, metadata: { name: "a" }, ...content };
}

export const gatewayOf = (...listeners: Content[]) =>
  objectOf(gatewayVersion, "Gateway", { spec: { gatewayClassName: "c", listeners } });
export const listener = { name: "l", port: 80, protocol: "HTTP" };
export const httpsListener = { name: "l", port: 443, protocol: "HTTPS", tls: { certificateRefs: [{ name: "cert" }] } };
export const httpRoute = (rule: Content, spec: Content = {}) =>
  objectOf(gatewayVersion, "HTTPRoute", { spec: { parentRefs: [{ name: "g" }], rules: [rule], ...spec } });
export const grpcRoute = (rule: Content) => objectOf(gatewayVersion, "GRPCRoute", { spec: { rules: [rule] } });
export const withFilter = (...filters: Content[]) => httpRoute({ filters });
export const withPath = (type: string, value: string) => httpRoute({ matches: [{ path: { type, value } }] });
export const backend = (spec: Content) => objectOf("gateway.envoyproxy.io/v1alpha1", "Backend", { spec });
export const withTls = (tls: Content) => backend({ endpoints: [{ ip: { address: "10.0.0.1", port: 80 } }], tls });
export const filterOf = (spec: Content) => objectOf("gateway.envoyproxy.io/v1alpha1", "HTTPRouteFilter", { spec });
export const staticBackend = (spec: Content) => objectOf("gateway.kgateway.dev/v1alpha1", "Backend", { spec });
export const service = (...ports: Content[]) => objectOf("v1", "Service", { spec: { ports } });
