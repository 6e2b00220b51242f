import type { HTTPRouteFilter } from "../../api/httproutefilter.ts";
import type { ResolvedExtension } from "../../attach/model.ts";
import type { DataSource, HeaderValueOption } from "../../envoy/generated/envoy/config/core/v3/base.ts";
import type { DirectResponseAction } from "../../envoy/generated/envoy/config/route/v3/route_components.ts";
import { type HeaderLine, type HeaderModifier, modifyHeaders, setHeader } from "./headers.ts";

export type DirectResponse = NonNullable<HTTPRouteFilter["spec"]["directResponse"]>;

const DEFAULT_STATUS = 200;

/** Translates `directResponse` of an HTTPRouteFilter. */
export function respondDirectly(filter: DirectResponse, body: ResolvedExtension["body"]): DirectResponseAction {
  return {
    status: filter.statusCode ?? DEFAULT_STATUS,
    ...(body === undefined || body === "" ? {} : { body: readBody(body) }),
  };
}

function readBody(body: NonNullable<ResolvedExtension["body"]>): DataSource {
  return typeof body === "string" ? { inlineString: body } : { inlineBytes: Buffer.from(body.base64, "base64") };
}

/** Headers of the response; an explicit content type wins over one among the headers. */
export function directResponseHeaders(filter: DirectResponse): readonly HeaderValueOption[] {
  const header: HeaderModifier = { set: filter.header?.set, add: filter.header?.add };
  const changes = [...modifyHeaders([header]).toAdd];
  if (filter.contentType !== undefined) {
    const line: HeaderLine = { name: "content-type", value: filter.contentType };
    changes.push(setHeader(line));
  }
  return changes;
}
