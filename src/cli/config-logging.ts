import type { LogComponent } from "../api/envoygateway.ts";
import type { LogThreshold, LogThresholds } from "../base/log.ts";
import type { LoggingConfiguration } from "./config.ts";

/** Levels of parts of the program, which may change while it runs. */
export interface LogLevels {
  readonly thresholds: LogThresholds;
  set(levels: LoggingConfiguration["levels"]): void;
}

const LEVEL_DEFAULT: LogThreshold = "info";

/** A part whose level is not given has that of the part it belongs to. */
const parents: Readonly<Partial<Record<LogComponent, LogComponent>>> = {
  "xds-server": "xds",
  "xds-translator": "gateway-api",
  status: "provider",
  certificates: "infrastructure",
};

export function createLogLevels(initial: LoggingConfiguration["levels"]): LogLevels {
  let levels = initial;
  return {
    set(next) {
      levels = next;
    },
    thresholds(component) {
      const own = component as LogComponent | undefined;
      const parent = own && parents[own];
      return (own && levels[own]) ?? (parent && levels[parent]) ?? levels.default ?? LEVEL_DEFAULT;
    },
  };
}
