import { stringify } from "yaml";
import { type JsonObject, resourceToJson } from "../envoy/json.ts";
import { resourceTypes } from "../envoy/resource.ts";
import { evaluateFolder } from "./offline.ts";

export type ResourceLabel = keyof typeof resourceTypes;
export const resourceLabels = Object.keys(resourceTypes) as ResourceLabel[];

export interface TranslateOptions {
  readonly directory: string;
  readonly output: "yaml" | "json";
  /** `namespace/name`; undefined: all. */
  readonly gateway?: string;
  /** Empty: all. */
  readonly types: readonly ResourceLabel[];
  readonly controllerNames: readonly string[];
}

/** xDS resources by gateway and type, sorted by name, in protobuf's JSON form. Private keys are left out. */
export type Translation = Record<string, Partial<Record<ResourceLabel, JsonObject[]>>>;

/**
 * Prints what a directory becomes in Envoy, without running anything. Complaints about files go to `complain`. Resolves to
 * whether there were none.
 */
export async function showTranslation(
  options: TranslateOptions,
  print: (line: string) => void,
  complain: (line: string) => void,
): Promise<boolean> {
  const { control, problems } = await evaluateFolder(options.directory, options.controllerNames);
  for (const line of problems) complain(line);
  const published = control.published();
  const gateways = Object.keys(published).filter((key) => options.gateway === undefined || key === options.gateway);
  if (options.gateway !== undefined && gateways.length === 0) {
    throw new Error(
      `no Gateway ${options.gateway} is served from ${options.directory}; there are: ${Object.keys(published).join(", ") || "none"}`,
    );
  }
  const translation: Translation = {};
  for (const gateway of gateways) {
    const resources = control.store.gateway(gateway);
    const labels = options.types.length > 0 ? options.types : resourceLabels;
    translation[gateway] = Object.fromEntries(
      labels.map((label) => {
        const type = resourceTypes[label];
        const found = [...resources.names(type)].sort().flatMap((name) => resources.current(type, name) ?? []);
        return [label, found.map(resourceToJson)];
      }),
    );
  }
  print(options.output === "json" ? JSON.stringify(translation, null, 2) : stringify(translation).trimEnd());
  return problems.length === 0;
}
