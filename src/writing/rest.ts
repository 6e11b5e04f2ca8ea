import type { RestContext } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import type { Written } from './idempotency.ts';
import { idempotencyKey, type Repeatable } from './rules.ts';

/** The header that every write takes. */
export const writeHeaders = z.object({ 'Idempotency-Key': idempotencyKey.optional() });

/** Returns the key of a write, whose fingerprint covers a path with pluses as it was sent. */
export function keyOf(c: RestContext, headers: z.output<typeof writeHeaders>, body: object = {}): Repeatable {
  const path = c.var.plusName?.parts;
  const sentAs = path && { ...body, path };
  return { idempotencyKey: headers['Idempotency-Key'], sentAs };
}

/** The result of a write, after a header has told whether it is the answer to an earlier request. */
export function written<T>(c: RestContext, { written, replayed }: Written<T>): T {
  if (replayed) c.header('Idempotent-Replayed', 'true');
  return written;
}
