import { report, text, trimmedText } from './rule.ts';
import { issuesOf } from './wording.ts';
import { z } from './zod.ts';

/** Rules that customers and accounts share. */
export const name = trimmedText({ min: 3, max: 255 });

const maxEmailLength = 320;

export const email = z
  .email()
  .check((payload) => {
    if (payload.value.length > maxEmailLength) {
      report(payload, 'TOO_LONG', `must have at most ${maxEmailLength} characters`);
    }
  })
  .meta({ maxLength: maxEmailLength });

export const maxMetadataKeys = 50;
export const metadataKeyLength = { min: 1, max: 40 };
export const metadataValueLength = { max: 500 };

export const expectedVersion = z
  .int()
  .min(1)
  .describe(
    'The version you read. If the entity has changed since, the write is refused with the current version.',
  );

/** Refuses the key `__proto__`, which zod would silently drop. */
function refuseProto(input: unknown, ctx: z.RefinementCtx): unknown {
  if (typeof input === 'object' && input !== null && Object.hasOwn(input, '__proto__')) {
    ctx.addIssue({
      code: 'custom',
      message: 'must not have the key __proto__',
      params: { code: 'INVALID_FORMAT' },
    });
    return z.NEVER;
  }
  return input;
}

const metadataKey = text(metadataKeyLength);

/** Checks keys separately, because the key schema of `z.record` would hide all other problems of the input. */
function checkMetadata(payload: z.core.ParsePayload<Record<string, string>>): void {
  const keys = Object.keys(payload.value);
  if (keys.length > maxMetadataKeys) {
    report(payload, 'TOO_MANY', `must have at most ${maxMetadataKeys} keys, has ${keys.length}`);
  }
  for (const key of keys) {
    const { error } = metadataKey.safeParse(key);
    for (const { code, message } of error ? issuesOf(error) : []) {
      report(payload, code, `is not a valid key: it ${message}`, [key]);
    }
  }
}

export const metadata = z
  .preprocess(refuseProto, z.record(z.string(), text(metadataValueLength)).check(checkMetadata))
  .describe(
    `Your own key-value pairs, such as ids of other systems: at most ${maxMetadataKeys} keys of ${metadataKeyLength.min} to ${metadataKeyLength.max} characters, with string values of at most ${metadataValueLength.max} characters.`,
  );
