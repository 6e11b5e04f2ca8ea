import type { RestContext } from '../rest/route.ts';
import { z } from '../rest/zod.ts';
import { idempotencyKey } from './rules.ts';
import type { Written } from './write.ts';

/** The header that every write takes. */
export const writeHeaders = z.object({ 'Idempotency-Key': idempotencyKey.optional() });

/** The result of a write, after a header has told whether it is the answer to an earlier request. */
export function written<T>(c: RestContext, { written, replayed }: Written<T>): T {
  if (replayed) c.header('Idempotent-Replayed', 'true');
  return written;
}
