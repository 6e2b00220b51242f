import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

/**
 * Traffic cases are YAML: what a user would write, then requests and what must come back. Each file under `traffic/` is a
 * topic, each document a case:
 *
 * ```yaml
 * name: a prefix ends at the border of a path element
 * rules:                                  # of an HTTPRoute of the Gateway `web` on a host of the case's own
 *   - {matches: [{path: {value: /foo}}], backendRefs: [{name: one, port: 80}]}
 * requests:
 *   - /foo/x: one                         # a backend's name, or a status
 *   - /foobar: 404
 *   - send: {path: /foo, headers: {x-a: b}}
 *     received: {path: /foo, headers: {x-a: b, x-gone: null}}
 * ```
 *
 * `HOST` and `NAME` in any text stand for the case's host and for a name that no other case uses, `PORT` and `HTTPS_PORT` for
 * those of the listeners, `PORT_OF_one` for that of the backend `one`.
 */
export interface TrafficCase {
  readonly name: string;
  readonly topic: string;
  readonly host: string;
  /** @param ports by placeholder */
  fill(ports: ReadonlyMap<string, number>): FilledCase;
}

export interface FilledCase {
  /** Objects to serve, the routes included. */
  readonly objects: readonly object[];
  readonly requests: readonly Exchange[];
  /** Regular expressions: what is wrong with the case's routes by their statuses, all of it. */
  readonly status: readonly string[];
}

/** `null`: the header must be absent; a text that begins with `~` is a regular expression. */
export type Headers = Readonly<Record<string, string | readonly string[] | null>>;

export interface Exchange {
  /** Instead of `send`: a gRPC call, such as `store.Orders/Get`. */
  readonly call?: { readonly method: string; readonly headers?: Readonly<Record<string, string>> };
  /** Name of the gRPC status of the call; default `OK`. */
  readonly code?: string;
  readonly send: {
    readonly path?: string;
    readonly method?: string;
    readonly host?: string;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    readonly body?: string;
    readonly http?: "1.1" | "2";
    /** Send to the HTTPS listener. */
    readonly tls?: boolean;
    /** Default 1; more than one is for `share`. */
    readonly times?: number;
  };
  readonly status?: number;
  readonly backend?: string;
  /** What the backend saw. */
  readonly received?: {
    readonly path?: string;
    readonly host?: string;
    readonly method?: string;
    readonly httpVersion?: string;
    readonly headers?: Headers;
    /** Of the connection: `servername`, `alpn`, `version`, `cipher`, `clientCommonName`. */
    readonly tls?: Headers;
  };
  /** Of the answer. */
  readonly headers?: Headers;
  readonly body?: string;
  /** How many of these requests the named backends got in all. */
  readonly reached?: Readonly<Record<string, number>>;
  /** Part of the requests that each backend answered, or that were answered with a status. */
  readonly share?: Readonly<Record<string, number>>;
  /** Part of the requests that the named backends got, whoever answered. */
  readonly copied?: Readonly<Record<string, number>>;
  /** Bounds of the time until the answer. */
  readonly seconds?: readonly [number, number];
}

interface WrittenCase {
  readonly name: string;
  readonly rules?: readonly object[];
  /** Instead of `rules`: whole routes; what all have in common is filled in. */
  readonly routes?: readonly Record<string, unknown>[];
  readonly objects?: readonly Record<string, unknown>[];
  readonly requests: readonly Record<string, unknown>[];
  readonly status?: readonly string[];
}

const caseFields = new Set(["name", "rules", "routes", "objects", "requests", "status"]);
const exchangeFields = new Set(
  "send call code status backend received headers body reached share copied seconds".split(" "),
);
const folder = join(import.meta.dirname, "traffic");

/**
 * All cases, in the order of files and documents.
 *
 * @throws Error for a field that no case has: what it expects would never be looked at
 */
export function readCases(): TrafficCase[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));
  return files.sort().flatMap((file) => {
    const topic = file.replace(/\.yaml$/, "");
    return parseAllDocuments(readFileSync(join(folder, file), "utf8")).map((document, index) => {
      if (document.errors[0] !== undefined) throw new Error(`${file}: ${document.errors[0].message}`);
      return readCase(topic, `${topic}-${index}`, document.toJS() as WrittenCase);
    });
  });
}

function readCase(topic: string, id: string, written: WrittenCase): TrafficCase {
  checkFields(id, written, caseFields);
  const host = `${id}.example.com`;
  const text = JSON.stringify(written).replaceAll("HOST", host).replaceAll("NAME", id);
  const fill: TrafficCase["fill"] = (ports) => {
    const portOf = (name: string) => String(ports.get(name) ?? name);
    // A text that is nothing but a placeholder becomes a number.
    const numbered = text
      .replace(/"(PORT_OF_[a-z0-9-]+)"/g, (_, name: string) => portOf(name))
      .replace(/PORT_OF_[a-z0-9-]+|HTTPS_PORT|PORT/g, portOf);
    const { rules, routes, objects = [], requests, status = [] } = JSON.parse(numbered) as WrittenCase;
    const all = routes ?? (rules === undefined ? [] : [{ rules }]);
    return {
      objects: [
        ...all.map((route, index) => completeRoute(route, `${id}-${index}`, host)),
        ...objects.map(completeObject),
      ],
      requests: requests.map((request) => readExchange(id, request)),
      status,
    };
  };
  return { name: written.name, topic, host, fill };
}

function completeRoute(route: Record<string, unknown>, name: string, host: string): object {
  const { kind = "HTTPRoute", metadata, ...spec } = route;
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind,
    metadata: { name, namespace: "default", ...(metadata as object) },
    spec: { parentRefs: [{ name: "web", namespace: "default", sectionName: "http" }], hostnames: [host], ...spec },
  };
}

/** These kinds and those of the core need no apiVersion. */
const apiVersions: Readonly<Record<string, string>> = {
  Backend: "gateway.envoyproxy.io/v1alpha1",
  HTTPRouteFilter: "gateway.envoyproxy.io/v1alpha1",
  BackendTLSPolicy: "gateway.networking.k8s.io/v1",
  EndpointSlice: "discovery.k8s.io/v1",
};

function completeObject(object: Record<string, unknown>): object {
  return { apiVersion: apiVersions[String(object["kind"])] ?? "v1", ...object };
}

/** `/path: backend` and `/path: status` are short for an exchange. */
function readExchange(id: string, request: Record<string, unknown>): Exchange {
  const [path = ""] = Object.keys(request);
  if (path.startsWith("/")) {
    const expected = request[path];
    return typeof expected === "number"
      ? { send: { path }, status: expected }
      : { send: { path }, backend: String(expected) };
  }
  checkFields(id, request, exchangeFields);
  return { send: {}, ...request };
}

function checkFields(id: string, object: object, known: ReadonlySet<string>): void {
  const unknown = Object.keys(object).find((field) => !known.has(field));
  if (unknown !== undefined) throw new Error(`${id}: ${unknown} is no field of a case`);
}
