const unitMs = { s: 1000, m: 60_000, h: 3_600_000 } as const;
/** The share of a delay by which jitter shortens or extends it. */
const jitter = 0.1;

type Unit = keyof typeof unitMs;

/** The delays in milliseconds before attempt 2, attempt 3 and so on. */
export type Schedule = readonly number[];

/** The delays that Standard Webhooks recommends: ten attempts in about three days. */
export const defaultSchedule: Schedule = [
  5 * unitMs.s,
  5 * unitMs.m,
  30 * unitMs.m,
  ...[2, 5, 10, 14, 20, 24].map((hours) => hours * unitMs.h),
];

function parseDelay(text: string): number | undefined {
  const [, count, unit] = /^([1-9]\d{0,4})([smh])$/.exec(text.trim()) ?? [];
  return count === undefined ? undefined : Number(count) * unitMs[unit as Unit];
}

/** Parses delays such as `5s,5m,30m,2h`. Returns undefined if one is malformed. */
export function parseSchedule(text: string): Schedule | undefined {
  const delays = text.split(',').map(parseDelay);
  return delays.every((delay) => delay !== undefined) ? delays : undefined;
}

/**
 * Returns the milliseconds from attempt number `attempts` to the next one, with a jitter of 10 % in both directions.
 * Undefined if that was the last attempt.
 */
export function nextDelayMs(
  schedule: Schedule,
  attempts: number,
  random: () => number = Math.random,
): number | undefined {
  const delay = schedule[attempts - 1];
  return delay === undefined ? undefined : Math.round(delay * (1 - jitter + 2 * jitter * random()));
}
