import { secondsOf } from "../duration-seconds.ts";
import { findTokenFault } from "../header-syntax.ts";
import type { FollowContext, ReportFault, SecurityGroup, WrittenSecurity } from "./model.ts";
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
  readonly http?: Pick<NonNullable<Written["http"]>, "path" | "headersToBackend">;
}

export interface ExtAuthSettings extends Omit<Written, "grpc" | "http"> {
  /** One; a list, so that another policy's server is not mixed into it. */
  readonly servers: readonly FollowedServer[];
}

/** How the server among those of the policy that is called `extAuth` is asked whether a request may pass. */
export interface ExtAuthModel {
  readonly protocol: "grpc" | "http";
  readonly authority: string;
  /** By HTTP: what stands before the path of the request. */
  readonly path?: string;
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
}

const HEADERS_MAX = 64;
const PATH_LENGTH_MAX = 1024;
/** Envoy holds all of a body before it asks. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Of the request, what a server is told by HTTP whatever else it is told (Envoy). */
const alwaysTold: ReadonlySet<string> = new Set(["host", "content-length", "authorization"]);
const pathPattern = /^\/[\x21-\x22\x24-\x3e\x40-\x7e]*$/;

export const extAuth: SecurityGroup<"extAuth"> = {
  name: "extAuth",
  follow: ({ grpc, http, ...rest }, context) => ({
    ...rest,
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
    const path = http?.path;
    const pathFault = path === undefined ? undefined : findPathFault(path);
    if (pathFault !== undefined) report("http.path", pathFault);
    const model: ExtAuthModel = {
      protocol: field,
      authority,
      ...(path !== undefined && { path }),
      ...(timeout !== undefined && { timeout }),
      ...(server.retry && { retry: server.retry }),
      ...planHeaders(settings, asked),
      ...(bytes !== undefined && { bodyBytesMax: bytes }),
      failsOpen: failOpen === true,
      ...(statusOnError !== undefined && { statusOnError }),
      recomputesRoute: recomputeRoute === true,
    };
    return { extAuth: model, servers: { extAuth: server.cluster } };
  },
};

function pickHttp({ path, headersToBackend }: NonNullable<Written["http"]>): FollowedServer["http"] {
  return { ...(path !== undefined && { path }), ...(headersToBackend && { headersToBackend }) };
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

function findPathFault(path: string): string | undefined {
  if (path.length > PATH_LENGTH_MAX) return `has more than ${PATH_LENGTH_MAX} characters; shorten it`;
  if (pathPattern.test(path)) return undefined;
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
