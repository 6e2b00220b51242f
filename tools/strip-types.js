import { createHash } from "node:crypto";
import { stripTypeScriptTypes } from "node:module";

/** A jest transform: the same type stripping that `node file.ts` does. Types are checked by tsc, not here. */
export default {
  process: (source) => ({ code: stripTypeScriptTypes(source, { mode: "strip" }) }),
  getCacheKey: (source, file) => createHash("sha256").update(process.version).update(file).update(source).digest("hex"),
};
