import { currency, netTermDays } from '../lib/fields.ts';
import { report, text } from '../lib/rule.ts';
import { scopes as names } from '../lib/scope.ts';
import { z } from '../lib/zod.ts';

export const name = z
  .string()
  .check((payload) => {
    if (!/^[a-z0-9][a-z0-9-]{0,49}$/.test(payload.value)) {
      report(payload, 'INVALID_FORMAT', 'must be 1 to 50 lower-case letters, digits and hyphens');
    }
  })
  .meta({ minLength: 1, maxLength: 50 })
  .describe('The name of the tenant: lower-case letters, digits and hyphens.');

export const keyName = text({ min: 1, max: 100 }).describe(
  'The name of the key, such as that of the program that uses it.',
);

export const scopes = z
  .array(z.enum(names))
  .min(1)
  .describe(
    `The scopes of the token, from ${names.map((name) => `\`${name}\``).join(', ')}. A write scope includes the read scope. \`keys:manage\` has no effect in the APIs: keys are managed on the command line.`,
  );

const days = /^([1-9]\d{0,4})d$/;
const dayMs = 24 * 60 * 60 * 1000;
const instant = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

function instantOf(value: string): number {
  const [, count] = days.exec(value) ?? [];
  if (count !== undefined) return Date.now() + Number(count) * dayMs;
  return instant.safeParse(value).success ? Date.parse(value) : Number.NaN;
}

/** The expiry of a key: days from now, a date (its first instant in UTC), or an instant. Must be in the future. */
export const expiry = z.string().transform((value, { addIssue }) => {
  const time = instantOf(value);
  if (time > Date.now()) return new Date(time);
  const forms = 'days such as 90d, a date such as 2030-01-31, or an instant such as 2030-01-31T12:00:00Z';
  addIssue({ code: 'custom', message: `must be in the future, and must be ${forms}` });
  return z.NEVER;
});

export const newTenant = z.object({
  name,
  baseCurrency: currency.default('USD'),
  netTermDays: netTermDays.default(30),
});
