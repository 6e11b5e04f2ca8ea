import { z } from './zod.ts';

/** Placeholders for "no beginning" and "no end" in responses that require an instant. */
export const noBeginning = '1970-01-01T00:00:00Z';
export const noEnd = '9999-01-01T00:00:00Z';

const spelling =
  /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))? ?(?:([Zz]|UTC|GMT)|([+-]\d\d):?(\d\d))?$/;

/**
 * Parses an instant in RFC 3339, as Python sends it (`2024-01-01T00:00:00+0000`) or as Ruby does
 * (`2022-06-04 00:00:00 UTC`). The default offset is UTC. Returns undefined for any other text.
 */
export function parseInstant(text: string): Date | undefined {
  const parts = spelling.exec(text);
  if (parts === null) return undefined;
  const [, day, time, fraction = '0', , hours = '+00', minutes = '00'] = parts;
  const instant = new Date(`${day}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}${hours}:${minutes}`);
  // Date moves a day that the month lacks, such as February 30, into the next month.
  const exists = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(instant.getTime()) || Number.isNaN(exists.getTime())) return undefined;
  return exists.toISOString().slice(0, 10) === day ? instant : undefined;
}

/** Parses a string to a Date. Pipe it into the rule for instants. */
export const spelledInstant = z.string().transform((text, ctx) => {
  const instant = parseInstant(text);
  if (instant !== undefined) return instant;
  const message = 'must be a date and time such as 2024-01-01T00:00:00Z';
  ctx.addIssue({ code: 'custom', message, params: { code: 'INVALID_FORMAT' } });
  return z.NEVER;
});
