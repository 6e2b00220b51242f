import { issueLeaf, type KeyPair } from "../src/certs/issue.ts";
import type { ApiTable } from "./api-table.ts";
import type { PlainObject } from "./table.ts";
import {
  type Bringer,
  certificateNames,
  httpRoute,
  PORT,
  type Protocol,
  protocols,
  serverName,
  servingObjects,
  shownName,
  type TenantBackends,
  type TenantState,
  tenantNamespace,
  tenantSecret,
  workloadObjects,
} from "./tenant-objects.ts";
import type { NameWatch } from "./tenant-traffic-process.ts";

const CHANGE_LIMIT_MS = 30_000;
const DAY_MS = 86_400_000;
export const zones = ["a", "b"] as const;

/** Where tenants are made and changed. */
export interface TenantWorld {
  readonly api: ApiTable;
  readonly backends: TenantBackends;
  readonly authority: KeyPair;
}

export async function firstState(authority: KeyPair, index: number, bringer: Bringer): Promise<TenantState> {
  const certificate = await issue(authority, index, tenantNamespace(index));
  return { certificate, revision: "first", zone: zones[0], bringer };
}

/** In this process: the command `openssl` would take a minute for two hundred. */
function issue(authority: KeyPair, index: number, commonName: string): Promise<KeyPair> {
  const dnsNames = certificateNames(index, zones);
  return issueLeaf(authority, { commonName, dnsNames, uris: [], usage: "server" }, validity());
}

export function validity(): { notBefore: number; notAfter: number } {
  return { notBefore: Date.now() - DAY_MS, notAfter: Date.now() + DAY_MS };
}

/** The namespace first, without which nothing else is taken. */
export async function createWorkloads(api: ApiTable, index: number, backends: TenantBackends): Promise<void> {
  const [namespace, ...rest] = workloadObjects(index, backends);
  await api.create([namespace!]);
  await api.create(rest);
}

export function nameWatch(
  index: number,
  protocol: Protocol,
  zone: string,
  wanted: NameWatch["wanted"],
  limitMs: number,
) {
  const name = serverName(index, protocol, { zone });
  return { port: PORT, serverName: name, certificateName: shownName(index, protocol), wanted, limitMs };
}

/** A change of one tenant, and the names by which it is seen. */
export interface Change {
  readonly label: string;
  /** What need not be measured. */
  prepare?(): Promise<unknown>;
  apply(): Promise<unknown>;
  /** What need not be measured and comes after. */
  tidy?(): Promise<unknown>;
  readonly watches: ReadonlyMap<Protocol, NameWatch>;
}

export const changeLabels = ["added", "renamed", "certificate", "route", "removed"] as const;
export type ChangeLabel = (typeof changeLabels)[number];

export async function changeOf(
  world: TenantWorld,
  label: ChangeLabel,
  index: number,
  state: TenantState,
): Promise<Change> {
  const { api, backends } = world;
  const moved = { ...state, zone: zones[1] };
  const watches = (zone: string, wanted: NameWatch["wanted"]) =>
    new Map(protocols.map((protocol) => [protocol, nameWatch(index, protocol, zone, wanted, CHANGE_LIMIT_MS)]));
  switch (label) {
    case "added":
      return {
        label,
        watches: watches(zones[0], "served"),
        prepare: () => createWorkloads(api, index, backends),
        apply: () => api.create(servingObjects(index, state)),
      };
    case "renamed": {
      const objects = servingObjects(index, moved).filter(({ kind }) => kind !== "Secret");
      const apply = () => Promise.all(objects.map((object) => api.apply(object)));
      return { label, apply, watches: watches(zones[1], "served") };
    }
    case "certificate": {
      const certificate = await issue(world.authority, index, `renewed-${index}`);
      const renewed = [...watches(zones[1], "served")].flatMap(([protocol, watch]): [Protocol, NameWatch][] =>
        protocol === "passthrough" ? [] : [[protocol, { ...watch, certificateName: `renewed-${index}` }]],
      );
      const apply = () => api.apply(tenantSecret(index, { ...moved, certificate }));
      return { label, apply, watches: new Map(renewed) };
    }
    case "route":
      return {
        label,
        watches: new Map(),
        apply: () => api.apply(httpRoute(index, 0, { ...moved, revision: "second" })),
      };
    case "removed": {
      const removeAll = (objects: PlainObject[]) => Promise.all(objects.reverse().map((object) => api.remove(object)));
      const apply = () => removeAll(servingObjects(index, moved));
      const tidy = () => removeAll(workloadObjects(index, backends));
      return { label, apply, tidy, watches: watches(zones[1], "refused") };
    }
  }
}
