import type { RestContext } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import type { Written } from './idempotency.ts';
import { idempotencyKey, type Repeatable } from './rules.ts';

/** The header of every write. */
export const writeHeaders = z.object({ 'Idempotency-Key': idempotencyKey.optional() });

/** Returns the key of a write. Its fingerprint covers a path with pluses as it was sent. */
export function keyOf(c: RestContext, headers: z.output<typeof writeHeaders>, body: object = {}): Repeatable {
  const path = c.var.plusName?.parts;
  const sentAs = path && { ...body, path };
  return { idempotencyKey: headers['Idempotency-Key'], sentAs };
}

/** Returns the result of a write, and sets a header if it is a replay. */
export function written<T>(c: RestContext, { written, replayed }: Written<T>): T {
  if (replayed) c.header('Idempotent-Replayed', 'true');
  return written;
}
