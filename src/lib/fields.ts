import currencyCodes from 'currency-codes';
import { iso31661 } from 'iso-3166';
import { identifier, report, text, trimmedText } from './rule.ts';
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
    'The version that you read. If the entity has changed since then, the write is refused with `VERSION_CONFLICT`.',
  );

/** zod would drop a key called `__proto__` without a word; refuse it before. */
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

/** Not by zod's own key rule, which would hide every other problem of the input. */
function checkMetadata(payload: z.core.ParsePayload<Record<string, string>>): void {
  const keys = Object.keys(payload.value);
  if (keys.length > maxMetadataKeys) {
    report(payload, 'TOO_MANY', `must have at most ${maxMetadataKeys} keys, has ${keys.length}`);
  }
  for (const key of keys) {
    const { error } = metadataKey.safeParse(key);
    for (const { code, message } of error ? issuesOf(error) : []) {
      report(payload, code, `has a key that ${message}`, [key]);
    }
  }
}

export const metadata = z
  .preprocess(refuseProto, z.record(z.string(), text(metadataValueLength)).check(checkMetadata))
  .describe(
    `Your own key-value pairs, such as ids in other systems. At most ${maxMetadataKeys} keys of ${metadataKeyLength.min} to ${metadataKeyLength.max} characters; values are strings of up to ${metadataValueLength.max}.`,
  );

/** Account ids and alias values share one look-up space, so they share one rule. Customer ids follow it, too. */
export const entityId = identifier({ min: 1, max: 50 });

const earliest = new Date('0001-01-01T00:00:00Z');
const latest = new Date('9999-12-31T23:59:59.999Z');

export const instant = z.date().check((payload) => {
  if (payload.value < earliest || payload.value > latest) {
    report(payload, 'INVALID_VALUE', 'must lie in the years 0001 to 9999');
  }
});

const countries = new Set(
  iso31661.filter((entry) => entry.state === 'assigned').map((entry) => entry.alpha2),
);

export const country = z
  .string()
  .check((payload) => {
    if (payload.value !== '' && !countries.has(payload.value)) {
      report(
        payload,
        'INVALID_VALUE',
        'must be an ISO 3166-1 alpha-2 country code in upper case, such as US',
      );
    }
  })
  .meta({ maxLength: 2 })
  .describe('Country, an ISO 3166-1 alpha-2 code in upper case, such as `US`.');

const currencies = new Set(currencyCodes.codes());

export const currency = z
  .string()
  .check((payload) => {
    if (!currencies.has(payload.value)) {
      report(payload, 'INVALID_VALUE', 'must be an ISO 4217 currency code in upper case, such as USD');
    }
  })
  .meta({ maxLength: 3 });

export const netTermDays = z
  .int()
  .min(0)
  .max(365)
  .describe("The number of days from an invoice's date to its due date.");
