import { parseInstant } from '../lib/instant.ts';
import { z } from './zod.ts';

/** Placeholders for "no beginning" and "no end" in responses that require an instant. */
export const noBeginning = '1970-01-01T00:00:00Z';
export const noEnd = '9999-01-01T00:00:00Z';

/** Parses a string to a Date. Pipe it into the rule for instants. */
export const spelledInstant = z.string().transform((text, ctx) => {
  const instant = parseInstant(text);
  if (instant !== undefined) return instant;
  const message = 'must be a date and time such as 2024-01-01T00:00:00Z';
  ctx.addIssue({ code: 'custom', message, params: { code: 'INVALID_FORMAT' } });
  return z.NEVER;
});
