import { AppError } from '../lib/errors.ts';
import { currency, expectedVersion, netTermDays } from '../lib/fields.ts';
import { neverCleared, report, text } from '../lib/rule.ts';
import { scopes as names } from '../lib/scope.ts';
import { z } from '../lib/zod.ts';
import { idempotencyKey } from '../writing/rules.ts';

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
    `The scopes of the token, from ${names.map((name) => `\`${name}\``).join(', ')}. A write scope includes the read scope. \`keys:manage\` allows changes of the tenant and reading its history; keys are managed on the command line.`,
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

export const baseCurrency = currency.describe(
  'The invoice currency of accounts without one, an ISO 4217 code in upper case.',
);
export const defaultNetTermDays = netTermDays.describe(
  'The net terms in days of accounts without their own.',
);

export const newTenant = z.object({
  name,
  baseCurrency: baseCurrency.default('USD'),
  netTermDays: defaultNetTermDays.default(30),
});

/** An absent field keeps its value. */
export const updateTenantInput = z.object({
  name: neverCleared(name),
  baseCurrency: neverCleared(baseCurrency),
  netTermDays: neverCleared(defaultNetTermDays),
  expectedVersion: expectedVersion.nullish(),
  idempotencyKey: idempotencyKey.nullish(),
});

export type UpdateTenantInput = z.output<typeof updateTenantInput>;

export class NameTakenError extends AppError {
  readonly code = 'NAME_TAKEN';
  readonly tenantName: string;

  constructor(tenantName: string) {
    super(`The name ${JSON.stringify(tenantName)} is or was that of another tenant. Use another name.`);
    this.tenantName = tenantName;
  }
}
