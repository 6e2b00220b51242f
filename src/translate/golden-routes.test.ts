import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { parse, parseAllDocuments, stringify } from "yaml";
import type { GRPCRoute, HTTPRoute } from "../api/gateway-api.ts";
import type { HTTPRouteFilter } from "../api/httproutefilter.ts";
import type { AttachedListener, ClusterSpec, ResolvedExtension, ResolvedRoute } from "../attach/model.ts";
import { resourceToJson } from "../envoy/json.ts";
import { translateGrpcRoute } from "./grpc-route.ts";
import { translateHttpRoute } from "./http-route.ts";
import { translateRouteTable } from "./route-table.ts";
import { translateVirtualHost } from "./virtual-host.ts";

/**
 * Each `testdata/<case>.in.yaml` holds routes and HTTPRouteFilters, and becomes the virtual host of `testdata/<case>.out.yaml`.
 * `UPDATE_GOLDEN=1` writes the outcome anew: read the difference before it is committed.
 */
const folder = new URL("testdata/", import.meta.url);
const update = process.env["UPDATE_GOLDEN"] === "1";

/** The first document may change where the routes are attached. */
interface Place {
  readonly kind: "Place";
  readonly host?: string;
  readonly routeHostname?: string;
  readonly port?: number;
  readonly scheme?: "http" | "https";
}

type Filter = HTTPRouteFilter & { readonly kind: "HTTPRouteFilter"; readonly metadata: { readonly name: string } };
type Document = Place | HTTPRoute | GRPCRoute | Filter;

type AnyRule = NonNullable<HTTPRoute["spec"]["rules"]>[number];

describe("routes become what their golden files say", () => {
  const cases = readdirSync(folder).flatMap((name) => (name.endsWith(".in.yaml") ? [name.slice(0, -8)] : []));
  test.each(cases)("%s", (name) => {
    const out = new URL(`${name}.out.yaml`, folder);
    const actual = translateCase(readFileSync(new URL(`${name}.in.yaml`, folder), "utf8"));
    if (update) writeFileSync(out, stringify(actual, { lineWidth: 120 }));
    expect(actual).toEqual(parse(readFileSync(out, "utf8")));
  });
});

function translateCase(text: string): unknown {
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Document);
  const place = documents.find((document): document is Place => document.kind === "Place");
  const filters = documents.filter((document): document is Filter => document.kind === "HTTPRouteFilter");
  const { host = "www.example.com", port = 8080, scheme = "http" } = place ?? {};
  const hostnames = [{ host, routeHostname: place?.routeHostname ?? host }];
  const table = "default/gw/web";
  const listener: AttachedListener = { listener: "web", routeTable: table, port, scheme, hostnames };
  const entries = documents.flatMap((document) => {
    const [attached] = listener.hostnames;
    if (attached === undefined) return [];
    if (document.kind === "HTTPRoute") {
      return translateHttpRoute(document, resolve(document, filters), listener, attached);
    }
    if (document.kind === "GRPCRoute") {
      return translateGrpcRoute(document, resolve(document, filters), listener, attached);
    }
    return [];
  });
  const virtualHost = translateVirtualHost(table, host, [entries]);
  const printed = resourceToJson(translateRouteTable(table, [virtualHost], []));
  const [json] = printed["virtualHosts"] as { routes: unknown }[];
  return {
    routes: json?.routes,
    clusters: [...new Set(virtualHost.clusters.flat())].sort(),
    overlaps: virtualHost.overlaps,
  };
}

/** Follows references by their names alone: `missing…` is not there, `dynamic…` resolves the request's host, port 50051 is gRPC. */
function resolve(route: HTTPRoute | GRPCRoute, filters: readonly Filter[]): ResolvedRoute {
  const target = (name: string, port: number | undefined): ClusterSpec | undefined =>
    name.startsWith("missing")
      ? undefined
      : {
          name: `service/default/${name}`,
          reach: name.startsWith("dynamic")
            ? { kind: "DynamicResolver", key: `default/${name}` }
            : { kind: "Service", key: `default/${name}`, port: port ?? 80, portName: "" },
          protocol: port === 50051 ? "http2" : "http1",
        };
  const extensions = (list: AnyRule["filters"]): ResolvedExtension[] =>
    (list ?? []).flatMap(({ extensionRef }, filterIndex) => {
      const found = filters.find(({ metadata }) => metadata.name === extensionRef?.name);
      return found === undefined
        ? []
        : [{ filterIndex, filter: found.spec, body: found.spec.directResponse?.body?.inline }];
    });
  return {
    routeKind: route.kind,
    key: `default/${route.metadata.name}`,
    problems: [],
    rules: ((route.spec.rules ?? []) as AnyRule[]).map((rule) => ({
      backends: (rule.backendRefs ?? []).map((backend) => ({
        weight: backend.weight ?? 1,
        target: target(backend.name, backend.port),
        extensions: extensions(backend.filters),
      })),
      mirrors: (rule.filters ?? []).flatMap(({ requestMirror }, filterIndex) =>
        requestMirror === undefined ? [] : [{ filterIndex, target: target(requestMirror.backendRef.name, 80) }],
      ),
      extensions: extensions(rule.filters),
      ...(rule.name?.startsWith("fails") ? { failureStatus: 500 } : {}),
    })),
  };
}
