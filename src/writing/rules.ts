import { createHash } from 'node:crypto';
import { entityReference, expectedVersion } from '../lib/fields.ts';
import { report } from '../lib/rule.ts';
import { z } from '../lib/zod.ts';

export const keptForMs = 24 * 60 * 60 * 1000;

/** The number of inputs that a mutation of several entities takes, and the most that one statement writes. */
export const inputsPerCall = { min: 1, max: 100 };

export const idempotencyKey = z
  .string()
  .check((payload) => {
    if (!/^[\x21-\x7e]{1,255}$/.test(payload.value)) {
      report(payload, 'INVALID_FORMAT', 'must have 1 to 255 visible ASCII characters');
    }
  })
  .meta({ minLength: 1, maxLength: 255 })
  .describe(
    'Makes the request safe to retry. Within 24 hours, the same key with the same input returns the first result, marked `replayed`, and writes nothing. A refused input does not use the key.',
  );

export const dryRun = z
  .boolean()
  .describe(
    'Whether to return the result that the mutation would have now, and write nothing. A dry run ignores `idempotencyKey`. All inputs of a request must have the same value. Default: `false`.',
  );

/** The options that the input of every write has beside its fields. */
export const writeOptions = { idempotencyKey: idempotencyKey.nullish(), dryRun: dryRun.nullish() };

/** Options of a write. */
export interface Repeatable {
  idempotencyKey?: string | null | undefined;
  /** Whether the write is rolled back. It then uses no idempotency key. */
  dryRun?: boolean | null | undefined;
  /** Replaces the input in the fingerprint, because a name in a path can mean another entity in a retry. */
  sentAs?: object | undefined;
}

/** Returns the SHA-256 of the mutation and input in base64url. The order of object keys has no effect. */
export function fingerprint(mutation: string, input: unknown): string {
  const sortKeys = (_key: string, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return createHash('sha256')
    .update(JSON.stringify([mutation, input], sortKeys))
    .digest('base64url');
}

/** Names one account or customer to archive or restore. */
export const entityInput = z.object({
  id: entityReference,
  expectedVersion: expectedVersion.nullish(),
  ...writeOptions,
});

export type EntityInput = z.output<typeof entityInput>;
