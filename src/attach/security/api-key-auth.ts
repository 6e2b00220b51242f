import type { Secret } from "../../api/core.ts";
import { type ObjectKey, objectKey } from "../../base/keys.ts";
import { findLengthFault, findTokenFault } from "../header-syntax.ts";
import { secretBytes } from "../object-data.ts";
import type { FollowFault, ReportFault, SecurityGroup, WrittenSecurity } from "./model.ts";
import { followSecret, isFault, SECRET_BYTES_MAX } from "./secrets.ts";
import { findToldHeaderFault } from "./told-header.ts";

type Written = NonNullable<WrittenSecurity["apiKeyAuth"]>;

export interface ApiKey {
  readonly client: string;
  /** Not for the eyes of anybody. */
  readonly key: string;
}

interface SecretKeys {
  readonly secret: ObjectKey;
  /** By client. */
  readonly keys: readonly ApiKey[];
}

export interface ApiKeySettings extends Omit<Written, "credentialRefs"> {
  readonly credentialRefs: readonly (SecretKeys | FollowFault)[];
}

export interface ApiKeyModel {
  readonly keys: readonly ApiKey[];
  /** Where to look, one after the other. */
  readonly places: readonly KeyPlace[];
  /** Header in which the backend is told the client. */
  readonly clientHeader?: string;
  /** The backend is not told the key. */
  readonly hidesKey?: true;
}

export type KeyPlace = { readonly header: string } | { readonly query: string } | { readonly cookie: string };

/** What can be sent in a header as it is; a line break at the end is an easy mistake to make. */
const sendable = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
/** What an API server takes as the name of a Secret's entry; files may have others. */
const entryName = /^[-._a-zA-Z0-9]{1,253}$/;
const PLACES_MAX = 64;
const PARAMETER_LENGTH_MAX = 256;

export const apiKeyAuth: SecurityGroup<"apiKeyAuth"> = {
  name: "apiKeyAuth",
  follow: ({ credentialRefs, ...rest }, context) => ({
    ...rest,
    credentialRefs: credentialRefs.map((reference) => {
      const secret = followSecret(reference, context);
      return isFault(secret) ? secret : readKeys(secret);
    }),
  }),
  plan(settings, report) {
    const { forwardClientIDHeader: clientHeader, sanitize } = settings;
    const keys = joinKeys(settings.credentialRefs, report);
    const places = listPlaces(settings.extractFrom, report);
    const fault = clientHeader === undefined ? undefined : findToldHeaderFault(clientHeader);
    if (fault !== undefined) report("forwardClientIDHeader", fault);
    const told = { ...(clientHeader !== undefined && { clientHeader }), ...(sanitize && { hidesKey: true as const }) };
    return { apiKeyAuth: { keys, places, ...told } };
  },
};

function readKeys(secret: Secret): SecretKeys | FollowFault {
  const name = objectKey(secret.metadata.namespace, secret.metadata.name);
  const clients = Object.keys({ ...secret.data, ...secret.stringData }).sort();
  if (!clients.every((client) => entryName.test(client))) {
    const text = "which has an entry that no client can be called; use letters, digits, hyphens, dots and underscores";
    return { fault: `names Secret ${name}, ${text}` };
  }
  const keys = clients.map((client) => ({ client, key: secretBytes(secret, client)?.toString("utf8") ?? "" }));
  const bad = keys.find(({ key }) => !sendable.test(key));
  if (bad === undefined) return { secret: name, keys };
  return {
    fault: `names Secret ${name}, whose key of client ${bad.client} is empty or holds what no header can, such as a line break at its end; write it again without`,
  };
}

/** Of a client that several Secrets have, the first counts (Envoy Gateway). */
function joinKeys(references: ApiKeySettings["credentialRefs"], report: ReportFault): readonly ApiKey[] {
  const byClient = new Map<string, ApiKey & { readonly secret: ObjectKey }>();
  const byKey = new Map<string, { readonly client: string; readonly secret: ObjectKey }>();
  let bytes = 0;
  for (const [index, reference] of references.entries()) {
    if (isFault(reference)) {
      report(`credentialRefs[${index}]`, reference.fault);
      continue;
    }
    const { secret, keys } = reference;
    for (const { client, key } of keys) {
      if (byClient.has(client)) continue;
      byClient.set(client, { client, key, secret });
      bytes += client.length + key.length;
      const other = byKey.get(key);
      if (other !== undefined) {
        const text = `names Secret ${secret}, whose client ${client} has the key of client ${other.client} of Secret ${other.secret}, so nobody could tell them apart; give one of them another key`;
        report(`credentialRefs[${index}]`, text);
      }
      byKey.set(key, { client, secret });
    }
  }
  if (bytes > SECRET_BYTES_MAX) report("credentialRefs", `name more than ${SECRET_BYTES_MAX} bytes of keys; use fewer`);
  if (byClient.size === 0 && !references.some(isFault)) {
    report("credentialRefs", "name no key at all, so nobody could pass; put an entry for each client into a Secret");
  }
  return [...byClient.values()].map(({ client, key }) => ({ client, key }));
}

function listPlaces(extractFrom: Written["extractFrom"], report: ReportFault): readonly KeyPlace[] {
  const places = extractFrom.flatMap(({ headers = [], params = [], cookies = [] }, index): readonly KeyPlace[] => {
    const judge = (field: string, names: readonly string[], what: string) => {
      for (const [position, name] of names.entries()) {
        const fault = findTokenFault(name, what);
        if (fault !== undefined) report(`extractFrom[${index}].${field}[${position}]`, fault);
      }
    };
    judge("headers", headers, "header name");
    for (const [position, name] of params.entries()) {
      const fault = findLengthFault(name, PARAMETER_LENGTH_MAX);
      if (fault !== undefined) report(`extractFrom[${index}].params[${position}]`, fault);
    }
    judge("cookies", cookies, "name of a cookie");
    return [
      ...headers.map((header) => ({ header })),
      ...params.map((query) => ({ query })),
      ...cookies.map((cookie) => ({ cookie })),
    ];
  });
  if (places.length > PLACES_MAX) report("extractFrom", `lists more than ${PLACES_MAX} places; use fewer`);
  return places;
}
