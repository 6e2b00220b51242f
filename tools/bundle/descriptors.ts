import type { KindDefinition } from "../../src/api/schema.ts";

/** What a console shows of one field. */
export interface Descriptor {
  readonly path: string;
  readonly displayName: string;
  readonly description: string;
  readonly "x-descriptors"?: readonly string[];
}

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

const UI = "urn:alm:descriptor:com.tectonic.ui";
const CONDITIONS = "urn:alm:descriptor:io.kubernetes.conditions";

/** The fields directly below `spec`. */
export function specDescriptors({ spec }: KindDefinition): Descriptor[] {
  return fieldsOf(spec).map(([path, schema]) => describe(path, schema, control(schema)));
}

/** The fields directly below `status`. */
export function statusDescriptors({ status }: KindDefinition): Descriptor[] {
  const show = (path: string) => (path === "conditions" ? [CONDITIONS] : []);
  return status === undefined ? [] : fieldsOf(status).map(([path, schema]) => describe(path, schema, show(path)));
}

function fieldsOf(schema: object): [string, Schema][] {
  return Object.entries((schema as Schema).properties ?? {});
}

function describe(path: string, { description = "" }: Schema, controls: readonly string[]): Descriptor {
  const descriptor = { path, displayName: titleOf(path), description };
  return controls.length === 0 ? descriptor : { ...descriptor, "x-descriptors": controls };
}

/** What a form offers for a field; nothing for what only YAML can say. */
function control({ type, enum: values }: Schema): string[] {
  if (values !== undefined) return values.map((value) => `${UI}:select:${value}`);
  const names: Readonly<Record<string, string>> = { boolean: "booleanSwitch", integer: "number", string: "text" };
  const name = names[type ?? ""];
  return name === undefined ? [] : [`${UI}:${name}`];
}

/** `backendTLS` → `Backend TLS`. */
function titleOf(field: string): string {
  const words = field.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/^(ip|tls)\b/, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}
