import { z } from 'zod';
import { invoiceCurrency, netTermDays } from '../account/rules.ts';
import { report, text } from '../lib/rule.ts';
import { scopes as names } from '../lib/scope.ts';

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
  'What people call the key, such as the program that uses it.',
);

export const scopes = z
  .array(z.enum(names))
  .min(1)
  .describe(
    `What the token may do, some of ${names.map((name) => `\`${name}\``).join(', ')}. Who may write may also read.`,
  );

export const newTenant = z.object({
  name,
  baseCurrency: invoiceCurrency.default('USD'),
  netTermDays: netTermDays.default(30),
});
