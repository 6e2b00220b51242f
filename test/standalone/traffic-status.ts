import { type DesiredCondition, isBad } from "../../src/status/conditions.ts";
import type { GatehouseProcess } from "../harness/gatehouse.ts";

interface Statuses {
  /** What is wrong with the files. */
  readonly problems: readonly string[];
  readonly objects: Readonly<Record<string, Status>>;
}

interface Status {
  readonly conditions?: readonly DesiredCondition[];
  readonly parents?: readonly { readonly conditions: readonly DesiredCondition[] }[];
}

/** What is wrong with each object now, by `kind/namespace/name`: `Type=Status (Reason): Message`. Files must be faultless. */
export async function readComplaints(gatehouse: GatehouseProcess): Promise<ReadonlyMap<string, readonly string[]>> {
  const { problems, objects } = JSON.parse(await gatehouse.admin("/status")) as Statuses;
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return new Map(Object.entries(objects).map(([key, status]) => [key, describe(status)]));
}

function describe({ conditions = [], parents = [] }: Status): readonly string[] {
  return [...conditions, ...parents.flatMap((parent) => parent.conditions)]
    .filter(isBad)
    .map(({ type, status, reason, message }) => `${type}=${status} (${reason}): ${message}`);
}
