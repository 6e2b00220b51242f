import { compareStrings, objectKey } from "../../base/keys.ts";
import { secondsOf } from "../duration-seconds.ts";
import { findLengthFault, findTokenFault } from "../header-syntax.ts";
import { configMapBytes } from "../object-data.ts";
import type { FollowContext, FollowFault, ReportFault, SecurityGroup, WrittenSecurity } from "./model.ts";
import { isFault } from "./secrets.ts";
import { type AskedServer, followBackends, type ServerFault, type ServerReference } from "./servers.ts";
import { findToldHeaderFault } from "./told-header.ts";

type Written = NonNullable<WrittenSecurity["extAuth"]>;
type WrittenServer = NonNullable<Written["grpc"]> | NonNullable<Written["http"]>;

interface FollowedServer {
  readonly field: "grpc" | "http";
  readonly server: AskedServer | ServerFault;
  /** What the server is called in requests to it. */
  readonly authority: string;
  readonly http?: Pick<NonNullable<Written["http"]>, "path" | "pathOverride" | "headersToBackend">;
}

interface FollowedExtension {
  readonly name: string;
  readonly value: string | FollowFault;
}

export interface ExtAuthSettings extends Omit<Written, "grpc" | "http" | "contextExtensions"> {
  /** One; a list, so that another policy's server is not mixed into it. */
  readonly servers: readonly FollowedServer[];
  readonly contextExtensions?: readonly FollowedExtension[];
}

/** How the server among those of the policy that is called `extAuth` is asked whether a request may pass. */
export interface ExtAuthModel {
  readonly protocol: "grpc" | "http";
  readonly authority: string;
  /** By HTTP: what stands before the path of the request, or in its place. */
  readonly path?: { readonly prefix: string } | { readonly whole: string };
  /** Text of a duration; undefined: the usual. */
  readonly timeout?: string;
  readonly retry?: AskedServer["retry"];
  /** Headers that it is told; undefined: all by gRPC, by HTTP those that it is told always. */
  readonly toldHeaders?: readonly string[];
  /** Headers that it may set for the backend; undefined: all by gRPC, by HTTP none. */
  readonly backendHeaders?: readonly string[];
  /** Of these, those that it does not see what the client says in: the backend must not take that for the server's word. */
  readonly clearedHeaders: readonly string[];
  /** Bytes of a body that it is told; undefined: it is told none. */
  readonly bodyBytesMax?: number;
  readonly failsOpen: boolean;
  /** Status of answers while it cannot be asked; undefined: Envoy's. */
  readonly statusOnError?: number;
  readonly recomputesRoute: boolean;
  /** What else it is told, by gRPC, of requests that go to backends: values by name. */
  readonly context?: Readonly<Record<string, string>>;
}

const HEADERS_MAX = 64;
const EXTENSIONS_MAX = 64;
const EXTENSION_LENGTH_MAX = 4096;
const PATH_LENGTH_MAX = 1024;
/** Envoy holds all of a body before it asks. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Of the request, what a server is told by HTTP whatever else it is told (Envoy). */
const alwaysTold: ReadonlySet<string> = new Set(["host", "content-length", "authorization"]);
const pathPattern = /^\/[\x21-\x22\x24-\x3e\x40-\x7e]*$/;

export const extAuth: SecurityGroup<"extAuth"> = {
  name: "extAuth",
  follow: ({ grpc, http, contextExtensions, ...rest }, context) => ({
    ...rest,
    ...(contextExtensions && { contextExtensions: contextExtensions.map((each) => followExtension(each, context)) }),
    servers: [
      ...(grpc ? [followServer("grpc", grpc, context)] : []),
      ...(http ? [{ ...followServer("http", http, context), http: pickHttp(http) }] : []),
    ],
  }),
  plan(settings, report) {
    const { servers, failOpen, statusOnError, recomputeRoute, bodyToExtAuth } = settings;
    const [asked, other] = servers;
    if (asked === undefined || other !== undefined) {
      report("", "has to have one of grpc and http; write which server is asked, and no other");
      return {};
    }
    const { field, server, authority, http } = asked;
    judgeHeaders(settings, asked, report);
    const bytes = bodyToExtAuth?.maxRequestBytes;
    if (bytes !== undefined && bytes > BODY_BYTES_MAX) {
      report(
        "bodyToExtAuth.maxRequestBytes",
        `is ${bytes}, and Envoy would hold so much; use ${BODY_BYTES_MAX} or less`,
      );
    }
    if (isFault(server)) {
      report(`${field}.${server.field}`, server.fault);
      return {};
    }
    const timeout = settings.timeout ?? server.timeout;
    if (timeout !== undefined && secondsOf(timeout) === 0) {
      const place = settings.timeout === undefined ? `${field}.backendSettings.timeout.http.requestTimeout` : "timeout";
      report(place, `is ${timeout}, and no answer comes in no time; use more, or leave it out`);
    }
    const path = http && planPath(http, report);
    const extensions = planExtensions(settings, field, report);
    const model: ExtAuthModel = {
      protocol: field,
      authority,
      ...(path && { path }),
      ...(timeout !== undefined && { timeout }),
      ...(server.retry && { retry: server.retry }),
      ...planHeaders(settings, asked),
      ...(bytes !== undefined && { bodyBytesMax: bytes }),
      failsOpen: failOpen === true,
      ...(statusOnError !== undefined && { statusOnError }),
      recomputesRoute: recomputeRoute === true,
      ...(extensions && { context: extensions }),
    };
    return { extAuth: model, servers: { extAuth: server.cluster } };
  },
};

function pickHttp({ path, pathOverride, headersToBackend }: NonNullable<Written["http"]>): FollowedServer["http"] {
  return {
    ...(path !== undefined && { path }),
    ...(pathOverride !== undefined && { pathOverride }),
    ...(headersToBackend && { headersToBackend }),
  };
}

function followExtension(
  { name, value = "", valueRef }: NonNullable<Written["contextExtensions"]>[number],
  { namespace, read }: FollowContext,
): FollowedExtension {
  if (valueRef === undefined) return { name, value };
  const { kind, key, name: object } = valueRef;
  if (kind !== "ConfigMap") {
    const fault = `names a ${kind}, and Envoy shows in its config dump what it holds; name a ConfigMap, with nothing secret in it`;
    return { name, value: { fault } };
  }
  const configMap = read.configMap(objectKey(namespace, object));
  const bytes = configMap && configMapBytes(configMap, key);
  if (bytes !== undefined) return { name, value: bytes.toString("utf8") };
  const missing = configMap === undefined ? "which does not exist; create it" : `which has no key ${key}; add it`;
  return { name, value: { fault: `names ConfigMap ${objectKey(namespace, object)}, ${missing}, or name another` } };
}

function planExtensions(
  { contextExtensions = [] }: ExtAuthSettings,
  field: FollowedServer["field"],
  report: ReportFault,
): ExtAuthModel["context"] | undefined {
  if (contextExtensions.length === 0) return undefined;
  if (field === "http") report("contextExtensions", "are told by gRPC only; remove them, or use grpc");
  if (contextExtensions.length > EXTENSIONS_MAX) {
    report("contextExtensions", `lists more than ${EXTENSIONS_MAX} values; use fewer`);
  }
  const values = new Map<string, string>();
  for (const [index, { name, value }] of contextExtensions.entries()) {
    const at = `contextExtensions[${index}]`;
    if (isFault(value)) {
      report(`${at}.valueRef`, value.fault);
      continue;
    }
    const fault = findLengthFault(name + value, EXTENSION_LENGTH_MAX);
    if (fault === undefined) values.set(name, value);
    else report(at, fault);
  }
  return Object.fromEntries([...values].sort(([a], [b]) => compareStrings(a, b)));
}

function followServer(field: FollowedServer["field"], written: WrittenServer, context: FollowContext): FollowedServer {
  const { backendRef, backendRefs, backendSettings } = written;
  const refs: NonNullable<ServerReference["backendRefs"]> = backendRefs ?? (backendRef ? [backendRef] : []);
  const [first] = refs;
  const { name = "", namespace = context.namespace, port } = first ?? {};
  const authority = `${name}.${namespace}${port === undefined ? "" : `:${port}`}`;
  if (backendRef && backendRefs) {
    const fault = "stands beside backendRefs, which say the same; leave it out";
    return { field, authority, server: { field: "backendRef", fault } };
  }
  const reference = { backendRefs: refs, ...(backendSettings && { backendSettings }) };
  const server = followBackends(reference, field === "grpc" ? "http2" : undefined, context);
  return { field, authority, server: backendRef && isFault(server) ? renameField(server) : server };
}

/** As it is written. */
function renameField(fault: ServerFault): ServerFault {
  return { ...fault, field: fault.field.replace(/^backendRefs(\[0\])?$/, "backendRef") };
}

function planPath(
  { path, pathOverride }: NonNullable<FollowedServer["http"]>,
  report: ReportFault,
): ExtAuthModel["path"] {
  for (const [field, value] of Object.entries({ path, pathOverride })) {
    const fault = value === undefined ? undefined : findPathFault(value);
    if (fault !== undefined) report(`http.${field}`, fault);
  }
  if (pathOverride !== undefined) return { whole: pathOverride };
  return path === undefined ? undefined : { prefix: path };
}

function findPathFault(path: string): string | undefined {
  const fault = findLengthFault(path, PATH_LENGTH_MAX);
  if (fault !== undefined || pathPattern.test(path)) return fault;
  return "is no path; write one that begins with /, without spaces, queries and fragments";
}

/** As written, `headersToBackend` stands at the server of HTTP; of one of gRPC users write it beside the server. */
function findBackendHeaders({ headersToBackend }: ExtAuthSettings, { http }: FollowedServer) {
  return http === undefined
    ? { field: "headersToBackend", names: headersToBackend }
    : { field: "http.headersToBackend", names: http.headersToBackend };
}

function judgeHeaders(settings: ExtAuthSettings, server: FollowedServer, report: ReportFault): void {
  const toBackend = findBackendHeaders(settings, server);
  const lists = [
    ["headersToExtAuth", settings.headersToExtAuth ?? [], (name: string) => findTokenFault(name, "header name")],
    [toBackend.field, toBackend.names ?? [], findToldHeaderFault],
  ] as const;
  for (const [field, names, findFault] of lists) {
    if (names.length > HEADERS_MAX) report(field, `lists more than ${HEADERS_MAX} headers; use fewer`);
    for (const [index, name] of names.entries()) {
      const fault = findFault(name);
      if (fault !== undefined) report(`${field}[${index}]`, fault);
    }
  }
}

function planHeaders(
  settings: ExtAuthSettings,
  server: FollowedServer,
): Pick<ExtAuthModel, "toldHeaders" | "backendHeaders" | "clearedHeaders"> {
  const lower = (names: readonly string[] = []) => [...new Set(names.map((name) => name.toLowerCase()))].sort();
  const told = lower(settings.headersToExtAuth);
  const { names } = findBackendHeaders(settings, server);
  const toBackend = lower(names);
  const isTold = (name: string) =>
    told.includes(name) || (server.field === "grpc" ? told.length === 0 : alwaysTold.has(name));
  return {
    ...(told.length > 0 && { toldHeaders: told }),
    ...(toBackend.length > 0 && { backendHeaders: toBackend }),
    clearedHeaders: toBackend.filter((name) => !isTold(name)),
  };
}
