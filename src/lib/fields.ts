import { domainToASCII } from 'node:url';
import { iso31661 } from 'iso-3166';
import { currentCurrencies, withdrawnCurrencies } from './currencies.ts';
import { identifier, isBlank, lineText, reference, report, text } from './rule.ts';
import { issuesOf } from './wording.ts';
import { z } from './zod.ts';

/** Rules that customers and accounts share. */
export const name = lineText({ min: 1, max: 255 });

const maxEmailBytes = 254;
const maxLocalBytes = 64;
const bytesOf = (value: string) => Buffer.byteLength(value);

/** Returns the problem of an email address, or undefined. Local parts can have any letters, domains are checked as IDNA. */
function emailProblem(value: string): string | undefined {
  if (bytesOf(value) > maxEmailBytes) return `must have at most ${maxEmailBytes} bytes`;
  const at = value.lastIndexOf('@');
  const [local, domain] = [value.slice(0, at), domainToASCII(value.slice(at + 1))];
  if (bytesOf(local) > maxLocalBytes) return `must have at most ${maxLocalBytes} bytes before the @`;
  if (/^\.|\.\.|\.$/.test(local) || !identifier({ max: maxEmailBytes }).safeParse(value).success)
    return 'must be a valid email';
  // Beyond ASCII, any letter can be in a local part (RFC 6531).
  const ascii = `${local.replaceAll(/[^\p{ASCII}\p{White_Space}]/gu, 'x')}@${domain}`;
  const isDomain = /\./.test(domain) && !/\.\d*$/.test(domain) && z.regexes.hostname.test(domain);
  return z.regexes.html5Email.test(ascii) && isDomain ? undefined : 'must be a valid email';
}

export const email = z
  .email({ pattern: z.regexes.unicodeEmail })
  .check((payload) => {
    // The pattern has reported any other text.
    if (!z.regexes.unicodeEmail.test(payload.value)) return;
    const problem = emailProblem(payload.value);
    if (problem !== undefined)
      report(payload, problem.includes('bytes') ? 'TOO_LONG' : 'INVALID_FORMAT', problem);
  })
  .meta({ maxLength: maxEmailBytes, format: 'idn-email' });

/** An optional email. A blank one counts as absent. */
export const optionalEmail = (rule: z.ZodType<string, string>) =>
  z.preprocess((value) => (typeof value === 'string' && isBlank(value) ? undefined : value), rule.nullish());

export const maxMetadataKeys = 50;
export const metadataKeyLength = { min: 1, max: 40 };
export const metadataValueLength = { max: 500 };

export const expectedVersion = z
  .int()
  .min(1)
  .describe(
    'The version that you read. If the entity has changed since then, the write is refused with `VERSION_CONFLICT`.',
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

const metadataKey = lineText(metadataKeyLength);

/** Trims the keys. Two that are then equal are refused. */
function trimKeys(input: unknown, ctx: z.RefinementCtx): unknown {
  const checked = refuseProto(input, ctx);
  if (typeof checked !== 'object' || checked === null || Array.isArray(checked)) return checked;
  const entries = Object.entries(checked).map(([key, value]) => [key.trim(), value] as const);
  if (new Set(entries.map(([key]) => key)).size < entries.length) {
    const message = 'must not have two keys that differ only in white space';
    ctx.addIssue({ code: 'custom', message, params: { code: 'DUPLICATE' } });
    return z.NEVER;
  }
  return Object.fromEntries(entries);
}

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
  .preprocess(trimKeys, z.record(z.string(), text(metadataValueLength)).check(checkMetadata))
  .meta({
    maxProperties: maxMetadataKeys,
    propertyNames: { minLength: metadataKeyLength.min, maxLength: metadataKeyLength.max },
  })
  .describe(
    `Your own key-value pairs, such as ids in other systems. At most ${maxMetadataKeys} keys of ${metadataKeyLength.min} to ${metadataKeyLength.max} characters; values are strings of up to ${metadataValueLength.max}.`,
  );

/** An id that a caller chooses. Dots alone would be taken out of a path. */
export const entityId = identifier({ min: 1, max: 50 }).check((payload) => {
  if (/^\.\.?$/.test(payload.value)) report(payload, 'INVALID_FORMAT', 'must not be `.` or `..`');
});

/** The id of an entity that exists. */
export const entityReference = reference({ min: 1, max: 50 });

const earliest = new Date('0001-01-01T00:00:00Z');
const latest = new Date('9999-12-31T23:59:59.999Z');

export const instant = z.date().check((payload) => {
  if (payload.value < earliest || payload.value > latest) {
    report(payload, 'INVALID_VALUE', 'must be in the years 0001 to 9999');
  }
});

const countries = new Set(
  // Kosovo's code is assigned by its users, not by ISO.
  ['XK', ...iso31661.filter((entry) => entry.state === 'assigned').map((entry) => entry.alpha2)],
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
  .describe('Country, an ISO 3166-1 alpha-2 code in upper case, such as `US`, or `XK`.');

const current = new Set(currentCurrencies);
const known = new Set([...currentCurrencies, ...withdrawnCurrencies]);

function currencyOf(codes: ReadonlySet<string>, what: string) {
  return z
    .string()
    .check((payload) => {
      if (!codes.has(payload.value))
        report(payload, 'INVALID_VALUE', `must be ${what} ISO 4217 code in upper case, such as USD`);
    })
    .meta({ minLength: 3, maxLength: 3 });
}

/** A currency in use. */
export const currency = currencyOf(current, 'a current');
/** A currency that is or was in use. */
export const knownCurrency = currencyOf(known, 'an');

export const netTermDays = z
  .int()
  .min(0)
  .max(365)
  .describe("The number of days from an invoice's date to its due date.");
