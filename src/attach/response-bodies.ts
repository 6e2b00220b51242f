import type { ConfigMap } from "../api/core.ts";
import { objectKey } from "../base/keys.ts";
import type { BackendTrafficSettings } from "./backend-traffic.ts";
import { configMapBytes } from "./object-data.ts";
import type { PolicyFinding } from "./policy-model.ts";

export interface BodyReader {
  configMap(key: string): ConfigMap | undefined;
}

/** Key of a body in its ConfigMap; without it the first key counts (Envoy Gateway). */
const BODY_KEY = "response.body";

/** The settings with the bodies of answers written out, since a policy that is merged over another is in a namespace of its own. */
export function readBodies(
  settings: BackendTrafficSettings,
  namespace: string | undefined,
  read: BodyReader,
): { readonly settings: BackendTrafficSettings; readonly faults: readonly PolicyFinding[] } {
  const faults: PolicyFinding[] = [];
  if (!settings.responseOverride?.some(({ response }) => response?.body?.type === "ValueRef"))
    return { settings, faults };
  const responseOverride = settings.responseOverride.map((override, index) => {
    const reference = override.response?.body?.valueRef;
    if (override.response?.body?.type !== "ValueRef" || reference === undefined) return override;
    const key = objectKey(namespace, reference.name);
    const configMap = read.configMap(key);
    const name = Object.keys({ ...configMap?.data, ...configMap?.binaryData }).sort()[0];
    const has = (field: string) =>
      configMap?.data?.[field] !== undefined || configMap?.binaryData?.[field] !== undefined;
    const bytes = configMap && configMapBytes(configMap, has(BODY_KEY) ? BODY_KEY : (name ?? BODY_KEY));
    if (bytes === undefined) {
      const text = `names ConfigMap ${key}, which ${configMap === undefined ? "does not exist" : "holds nothing"}; give it the key ${BODY_KEY}`;
      faults.push({ field: `spec.responseOverride[${index}].response.body.valueRef`, text });
      return override;
    }
    const body = { type: "Inline" as const, inline: bytes.toString("utf8") };
    return { ...override, response: { ...override.response, body } };
  });
  return { settings: { ...settings, responseOverride }, faults };
}
