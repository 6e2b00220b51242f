import { afterAll, expect } from "@jest/globals";
import { startBackend } from "../harness/backend.ts";
import { createAuthority } from "../harness/certificates.ts";
import { freePort } from "../harness/ports.ts";
import { waitFor } from "../harness/waiting.ts";
import { no, says, startGrpcAuthorization, startHttpAuthorization } from "./authorization-servers.ts";
import { policyOfRoute, routeOf } from "./policy-objects.ts";
import { documented, type SecurityCase, type SecurityPlace, testSecurityCases } from "./security-world.ts";
import { serviceObjects } from "./traffic-world.ts";

/** Servers by gRPC and HTTP that are asked whether requests may pass, which are also slow, dead, missing, and not to be named. */

const grpc = await startGrpcAuthorization();
const http = await startHttpAuthorization();
const otherApp = await startBackend({ name: "other-app" });
const authority = createAuthority("authorization");
const secure = await startGrpcAuthorization(authority.issue({ dnsNames: ["auth.internal"] }));

const grpcServer = { backendRefs: [{ name: "grpc-auth", port: 80 }] };
const httpServer = { backendRefs: [{ name: "http-auth", port: 80 }] };
const dead = { backendRefs: [{ name: "dead-auth", port: 80 }] };
const spoofed = { "x-user": "root", "x-other": "root", "x-gatehouse-route-table": "root" };
const by = (authorization: string, headers: Readonly<Record<string, string>> = {}) => ({
  headers: { authorization, ...headers },
});
/** Some of what the backend received. */
const told = async (
  place: SecurityPlace,
  options: Parameters<SecurityPlace["send"]>[0],
  ...names: readonly string[]
) => {
  const { status, received } = await place.send(options);
  return received === undefined ? status : names.map((name) => received.headers[name]);
};
const expectNo = async (place: SecurityPlace) => {
  const answer = await place.send(by("Bearer mallory"));
  expect([answer.status, answer.headers["x-why"], answer.body]).toEqual([no.status, no.header, no.body]);
};
const grant = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "ReferenceGrant",
  metadata: { name: "servers", namespace: "auth" },
  spec: {
    from: [{ group: "gateway.envoyproxy.io", kind: "SecurityPolicy", namespace: "default" }],
    to: [{ group: "", kind: "Service" }],
  },
};
const inAuth = (objects: readonly object[]) =>
  objects.map((object) => {
    const { metadata } = object as { readonly metadata: object };
    return { ...object, metadata: { ...metadata, namespace: "auth" } };
  });
const elsewhere = { backendRefs: [{ name: "grpc-elsewhere", namespace: "auth", port: 80 }] };

const cases: readonly SecurityCase[] = [
  {
    name: "gRPC",
    ...documented("asked"),
    objects: serviceObjects("authorization", [grpc.port]),
    async check(place) {
      await expectNo(place);
      expect(await place.status()).toBe(no.status);
      const body = "x".repeat(8192);
      const options = { method: "POST", path: "/a?b=c", body, ...by(says.yes, { ...spoofed, "x-removed": "1" }) };
      const names = ["x-user", "x-other", "x-removed", "x-gatehouse-route-table"];
      expect(await told(place, options, ...names)).toEqual(["alice", "other", undefined, "root"]);
      const { method, path, host, headers = {}, body: seen } = grpc.asked.at(-1)?.request?.http ?? {};
      expect([method, path, host, seen]).toEqual(["POST", "/a?b=c", place.host, body]);
      expect([headers["x-removed"], headers["x-user"]]).toEqual(["1", "root"]);
      expect(Object.keys(headers)).not.toContain("x-gatehouse-route-table");
      expect(await place.status({ method: "POST", body: `${body}x`, ...by(says.yes) })).toBe(413);
      expect(await place.status(by(says.nothing))).toBe(503);
      expect(await place.status(by(says.fault))).toBe(503);
    },
  },
  {
    name: "HTTP",
    ...documented("looked-up"),
    objects: [
      ...serviceObjects("lookup", [http.port]),
      ...serviceObjects("http-auth", [http.port]),
      ...serviceObjects("grpc-auth", [grpc.port]),
      ...serviceObjects("other-app", [otherApp.port]),
      ...serviceObjects("dead-auth", [await freePort()]),
    ],
    async check(place) {
      await expectNo(place);
      const options = { path: "/a?b=c", ...by(says.yes, { ...spoofed, cookie: "a=b", "x-unseen": "1" }) };
      expect(await told(place, options, "x-user", "x-other")).toEqual(["alice", "root"]);
      const { path, headers } = http.asked.at(-1) ?? {};
      expect([path, headers?.host, headers?.cookie]).toEqual(["/check/a?b=c", place.host, "a=b"]);
      for (const hidden of ["x-user", "x-other", "x-unseen", "x-gatehouse-route-table"]) {
        expect(headers).not.toHaveProperty(hidden);
      }
      // Nobody but the server says who it is.
      expect(await told(place, by(says.onlyYes, spoofed), "x-user", "x-other")).toEqual([undefined, "root"]);
      expect(await place.status(by(says.fault))).toBe(403);
    },
  },
  {
    name: "a route that is chosen anew",
    spec: {
      extAuth: { http: { ...httpServer, headersToBackend: ["x-user"] }, recomputeRoute: true },
    },
    objects: [
      routeOf("of-alice", "case-2.example.com", {
        matches: [{ headers: [{ name: "x-user", value: "alice" }] }],
        backendRefs: [{ name: "other-app", port: 80 }],
      }),
      policyOfRoute("SecurityPolicy", "of-alice", { extAuth: { http: dead } }),
    ],
    async check(place) {
      expect(place.host).toBe("case-2.example.com");
      expect((await place.send(by(says.onlyYes))).received?.backend).toBe("app");
      expect((await place.send(by(says.yes))).received?.backend).toBe("other-app");
      // Who says so himself is asked what that route asks.
      expect(await place.status(by(says.yes, spoofed))).toBe(200);
      expect(await place.status(by(says.yes, { "x-user": "alice" }))).toBe(403);
    },
  },
  {
    name: "HTTP at one path, told bodies",
    spec: {
      extAuth: {
        http: { ...httpServer, pathOverride: "/ask" },
        bodyToExtAuth: { maxRequestBytes: 200_000 },
        headersToExtAuth: ["X-Gatehouse-Route-Table", "X-Seen"],
      },
    },
    async check(place) {
      const body = "y".repeat(150_000);
      const options = { method: "PUT", path: "/else", body, ...by(says.yes, { ...spoofed, "x-seen": "1" }) };
      expect((await place.send(options)).received?.bodyBytes).toBe(body.length);
      const { method, path, headers, body: seen } = http.asked.at(-1) ?? {};
      expect([method, path, headers?.["x-seen"], seen]).toEqual(["PUT", "/ask", "1", body]);
      expect(headers).not.toHaveProperty("x-gatehouse-route-table");
    },
  },
  {
    name: "gRPC that may set some headers, and is told others",
    spec: {
      extAuth: {
        grpc: { backendRef: { name: "grpc-auth", port: 80 } },
        headersToExtAuth: ["Authorization"],
        headersToBackend: ["X-User", "x.y+z"],
      },
    },
    async check(place) {
      const names = ["x-user", "x-other", "x-removed"];
      const headers = { ...spoofed, "x-removed": "1" };
      expect(await told(place, by(says.yes, headers), ...names)).toEqual(["alice", "root", "1"]);
      expect(await told(place, by(says.onlyYes, headers), ...names)).toEqual([undefined, "root", "1"]);
      expect(Object.keys(grpc.asked.at(-1)?.request?.http?.headers ?? {})).toEqual(["authorization"]);
    },
  },
  ...[1, 2].map(
    (backends): SecurityCase => ({
      name: `gRPC that is told more, before ${backends} backends`,
      rule: { backendRefs: ["app", "other-app"].slice(0, backends).map((name) => ({ name, port: 80 })) },
      spec: {
        extAuth: {
          grpc: grpcServer,
          headersToBackend: ["x-user"],
          headersToExtAuth: ["authorization"],
          contextExtensions: [
            { name: "shop", type: "Value", value: `shop-${backends}` },
            {
              name: "country",
              type: "ValueRef",
              valueRef: { group: "", kind: "ConfigMap", name: `context-${backends}`, key: "country" },
            },
          ],
        },
      },
      objects: [
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: `context-${backends}` }, data: { country: "ee" } },
      ],
      async check(place) {
        await expectNo(place);
        expect(grpc.asked.at(-1)?.contextExtensions).toEqual({ shop: `shop-${backends}`, country: "ee" });
        expect(await told(place, by(says.yes, spoofed), "x-user", "x-other")).toEqual(["alice", "root"]);
      },
    }),
  ),
  {
    name: "the shorthand that guides have",
    spec: { extAuth: { http: httpServer, headersToBackend: ["x-user"] } },
    async check(place) {
      expect(await told(place, by(says.yes, spoofed), "x-user", "x-other")).toEqual(["alice", "root"]);
      expect(await world().gatehouse().statusText()).toMatch(/write spec\.extAuth\.http\.headersToBackend instead/);
    },
  },
  ...(["grpc", "http"] as const).flatMap((protocol): SecurityCase[] => {
    const server = protocol === "grpc" ? grpcServer : httpServer;
    const missing = `${protocol}: a missing server`;
    return [
      {
        name: `${protocol}: silent and faulty servers let nobody pass`,
        spec: { extAuth: { [protocol]: server, timeout: "200ms", statusOnError: 429 } },
        async check(place) {
          expect(await place.status(by(says.nothing))).toBe(429);
          expect(await place.status(by(says.fault))).toBe(429);
        },
      },
      {
        name: `${protocol}: a dead server`,
        spec: { extAuth: { [protocol]: dead } },
        check: async (place) => expect(await place.status(by(says.yes))).toBe(403),
      },
      {
        name: `${protocol}: a dead server that lets pass`,
        spec: { extAuth: { [protocol]: dead, failOpen: true } },
        check: async (place) => expect(await place.status()).toBe(200),
      },
      {
        name: `${protocol}: a server that lets pass while it says nothing`,
        spec: { extAuth: { [protocol]: server, failOpen: true, timeout: "200ms" } },
        async check(place) {
          expect(await place.status(by(says.nothing))).toBe(200);
          expect(await place.status(by(says.fault))).toBe(200);
        },
      },
      {
        name: missing,
        spec: { extAuth: { [protocol]: { backendRefs: [{ name: `later-${protocol}`, port: 80 }] } } },
        async check(place) {
          expect(await place.status(by(says.yes))).toBe(500);
          expect(await world().gatehouse().statusText()).toMatch(
            new RegExp(`extAuth\\.${protocol}\\.backendRefs\\[0\\].*later-${protocol}, which does not exist`),
          );
          const port = protocol === "grpc" ? grpc.port : http.port;
          world().replace(
            missing,
            world().objectsOf(missing, { objects: serviceObjects(`later-${protocol}`, [port]) }),
          );
          await waitFor("the server to be asked", async () => (await place.status(by(says.yes))) === 200);
          await expectNo(place);
        },
      },
    ];
  }),
  {
    name: "a server over TLS",
    spec: { extAuth: { grpc: { backendRefs: [{ name: "secure-auth", port: 80 }] } } },
    objects: [
      ...serviceObjects("secure-auth", [secure.port]),
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "ca" }, data: { "ca.crt": authority.certificate } },
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "BackendTLSPolicy",
        metadata: { name: "secure-auth" },
        spec: {
          targetRefs: [{ group: "", kind: "Service", name: "secure-auth" }],
          validation: { hostname: "auth.internal", caCertificateRefs: [{ group: "", kind: "ConfigMap", name: "ca" }] },
        },
      },
    ],
    async check(place) {
      await expectNo(place);
      expect(await place.status(by(says.yes))).toBe(200);
      expect(secure.asked.length).toBeGreaterThan(1);
    },
  },
  {
    name: "a server of another namespace that does not",
    spec: { extAuth: { grpc: { backendRefs: [{ name: "grpc-kept", namespace: "kept", port: 80 }] } } },
    async check(place) {
      expect(await place.status(by(says.yes))).toBe(500);
      expect(await world().gatehouse().statusText()).toMatch(
        /kept\/grpc-kept in another namespace, and no ReferenceGrant/,
      );
    },
  },
  {
    name: "a server of another namespace that lets itself be named",
    spec: { extAuth: { grpc: elsewhere } },
    objects: [...inAuth(serviceObjects("grpc-elsewhere", [grpc.port])), grant],
    async check(place) {
      await expectNo(place);
      expect(await place.status(by(says.yes))).toBe(200);
    },
  },
];

const world = testSecurityCases(cases);

afterAll(async () => {
  await Promise.all([grpc.stop(), http.stop(), secure.stop(), otherApp.stop()]);
}, 30_000);
