const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 24 * HOUR_SECONDS;

/** Seconds of the units of rate limits. As in Envoy Gateway a month has 30 days. */
export const unitSeconds = {
  Second: 1,
  Minute: 60,
  Hour: HOUR_SECONDS,
  Day: DAY_SECONDS,
  Week: 7 * DAY_SECONDS,
  Month: 30 * DAY_SECONDS,
  Year: 365 * DAY_SECONDS,
} as const;
