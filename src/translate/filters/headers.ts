import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
} from "../../envoy/generated/envoy/config/core/v3/base.ts";
import { formatHeaderValue } from "./header-format.ts";

/** A Gateway API HTTPHeaderFilter. */
export interface HeaderModifier {
  readonly set?: readonly HeaderLine[];
  readonly add?: readonly HeaderLine[];
  readonly remove?: readonly string[];
}

export interface HeaderLine {
  readonly name: string;
  readonly value: string;
}

/** Changes of headers in Envoy's terms. On one level Envoy removes first, then sets and adds in this order. */
export interface HeaderChanges {
  readonly toAdd: readonly HeaderValueOption[];
  readonly toRemove: readonly string[];
}

const noHeaderChanges: HeaderChanges = Object.freeze({ toAdd: [], toRemove: [] });

/** Header changes of a request on its way to the backend and of the response. */
export interface MessageHeaders {
  readonly request: HeaderChanges;
  readonly response: HeaderChanges;
}

/** Fields that Envoy's Route and ClusterWeight share. */
export interface HeaderFields {
  requestHeadersToAdd: HeaderValueOption[];
  requestHeadersToRemove: string[];
  responseHeadersToAdd: HeaderValueOption[];
  responseHeadersToRemove: string[];
}

/** Header modifiers among the filters of a rule or of a backendRef. */
export function readHeaders(
  filters: readonly { requestHeaderModifier?: HeaderModifier; responseHeaderModifier?: HeaderModifier }[],
): MessageHeaders {
  return {
    request: modifyHeaders(filters.flatMap(({ requestHeaderModifier }) => requestHeaderModifier ?? [])),
    response: modifyHeaders(filters.flatMap(({ responseHeaderModifier }) => responseHeaderModifier ?? [])),
  };
}

/** Both one after the other, as one: the second has the last word. */
export function chainHeaders(first: MessageHeaders, second: MessageHeaders): MessageHeaders {
  return { request: chain(first.request, second.request), response: chain(first.response, second.response) };
}

/** Envoy removes before it adds, so what is removed later must not be added first. */
function chain(first: HeaderChanges, second: HeaderChanges): HeaderChanges {
  const removed = new Set(second.toRemove.map((name) => name.toLowerCase()));
  const kept = first.toAdd.filter(({ header }) => !removed.has(header?.key?.toLowerCase() ?? ""));
  return { toAdd: [...kept, ...second.toAdd], toRemove: [...first.toRemove, ...second.toRemove] };
}

export function hasHeaderChanges({ request, response }: MessageHeaders): boolean {
  return [request, response].some(({ toAdd, toRemove }) => toAdd.length + toRemove.length > 0);
}

export function headerFields({ request, response }: MessageHeaders): HeaderFields {
  return {
    requestHeadersToAdd: [...request.toAdd],
    requestHeadersToRemove: [...request.toRemove],
    responseHeadersToAdd: [...response.toAdd],
    responseHeadersToRemove: [...response.toRemove],
  };
}

/**
 * Translates RequestHeaderModifier and ResponseHeaderModifier filters. Names that Envoy forbids to change are left out:
 * it would refuse the whole route table because of one of them.
 */
export function modifyHeaders(modifiers: readonly HeaderModifier[]): HeaderChanges {
  if (modifiers.length === 0) return noHeaderChanges;
  const toAdd: HeaderValueOption[] = [];
  const toRemove: string[] = [];
  for (const { set = [], add = [], remove = [] } of modifiers) {
    for (const line of firstOfEachName(set)) if (isModifiable(line.name)) toAdd.push(setHeader(line));
    for (const line of firstOfEachName(add)) if (isModifiable(line.name)) toAdd.push(addHeader(line));
    toRemove.push(...remove.filter(isModifiable));
  }
  return { toAdd, toRemove };
}

/** Names are equal whatever their case, and of equal ones the first counts (HTTPHeader.name). */
function firstOfEachName(lines: readonly HeaderLine[]): Iterable<HeaderLine> {
  const byName = new Map<string, HeaderLine>();
  for (const line of lines) {
    const name = line.name.toLowerCase();
    if (!byName.has(name)) byName.set(name, line);
  }
  return byName.values();
}

export function setHeader(line: HeaderLine): HeaderValueOption {
  return { header: headerOf(line), appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD };
}

/** Appending is Envoy's default action, so nothing is said and nothing is sent. */
export function addHeader(line: HeaderLine): HeaderValueOption {
  return { header: headerOf(line) };
}

function headerOf({ name, value }: HeaderLine): { key: string; value: string } {
  return { key: name, value: formatHeaderValue(value) };
}

/** Pseudo headers and Host are changed by rewrites only (Envoy: ":-prefixed or host headers may not be modified"). */
function isModifiable(name: string): boolean {
  return !name.startsWith(":") && name.toLowerCase() !== "host";
}
