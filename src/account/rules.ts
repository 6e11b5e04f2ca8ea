import { address } from '../address/rules.ts';
import * as alias from '../alias/rules.ts';
import * as fields from '../lib/fields.ts';
import { lineText, neverCleared, report, unique } from '../lib/rule.ts';
import { z } from '../lib/zod.ts';
import { commonFilter, statusFilter } from '../listing/rules.ts';
import { settings } from '../setting/rules.ts';
import { writeOptions } from '../writing/rules.ts';

export const statuses = {
  DRAFT: 'In preparation. It can become `ACTIVE`.',
  ACTIVE: 'In use.',
  ARCHIVED: 'Out of use. It can be read by id, lists exclude it by default, and it accepts only a restore.',
} as const;

export type AccountStatus = keyof typeof statuses;

export const id = fields.entityId.describe(
  "The account's id, chosen by you. Unique among the tenant's account ids and current aliases, and immutable.",
);
export const name = fields.name.describe("The account's display name.");
export const primaryEmail = fields.email.describe("The account's main contact email.");

export const invoiceCurrency = fields.currency.describe(
  'The currency of the invoices, an ISO 4217 code in upper case, such as `USD`.',
);
export const netTermDays = fields.netTermDays;

const recipients = z
  .array(fields.email)
  .max(50)
  .check(unique((address) => address.toLowerCase(), 'the email'))
  .meta({ uniqueItems: true });

export const emailRecipients = recipients.describe('The recipients of the invoices.');
export const additionalEmailRecipients = recipients.describe('The recipients of copies of the invoices.');

export const billingInformation = z
  .object({
    emailRecipients: emailRecipients.nullish(),
    additionalEmailRecipients: additionalEmailRecipients.nullish(),
  })
  .describe("The recipients of this account's invoices.");

/** Folds a tag for storage. The database folds it further for filters. */
const foldTag = (value: string) => value.normalize('NFC').toLowerCase().normalize('NFC');

export const tag = lineText({ min: 1, max: 50 }, foldTag);
export const tags = z
  .array(tag)
  .max(50)
  .transform((values) => [...new Set(values)])
  .describe('Labels for filtering accounts. They are stored in lower case and without duplicates.');

export const createStatus = z
  .enum(Object.keys(statuses) as [AccountStatus])
  .check((payload) => {
    if (payload.value === 'ARCHIVED')
      report(payload, 'INVALID_VALUE', 'must be ACTIVE or DRAFT for a new account');
  })
  .describe('`ACTIVE` or `DRAFT`. Default: `ACTIVE`.');

const shape = {
  id,
  name,
  invoiceCurrency: invoiceCurrency.nullish(),
  netTermDays: netTermDays.nullish(),
  primaryEmail: fields.optionalEmail(primaryEmail),
  status: createStatus.nullish().meta({ enum: ['DRAFT', 'ACTIVE', null] }),
  address: address.nullish(),
  billingInformation: billingInformation.nullish(),
  aliases: alias.aliases.nullish(),
  datedAliases: alias.datedAliases.nullish(),
  settings: settings.nullish(),
  tags: tags.nullish(),
  metadata: fields.metadata.nullish(),
};

/** The first account of a new customer. */
export const firstAccountInput = z.object(shape).check(alias.checkAliasLists);

export const createAccountInput = z
  .object({
    ...shape,
    customerId: fields.entityReference.describe('The id of an existing customer.'),
    ...writeOptions,
  })
  .check(alias.checkAliasLists);

export type CreateAccountInput = z.output<typeof createAccountInput>;

export const updateStatus = z
  .enum(Object.keys(statuses) as [AccountStatus])
  .check((payload) => {
    if (payload.value === 'ARCHIVED')
      report(payload, 'INVALID_VALUE', 'must be ACTIVE or DRAFT: use archiveAccount');
  })
  .meta({ enum: ['DRAFT', 'ACTIVE'] })
  .describe(
    'A `DRAFT` account can become `ACTIVE`, but not vice versa. To archive an account, use `archiveAccount`.',
  );

/** An absent field keeps its value, and null clears it. */
export const updateAccountInput = z.object({
  id: fields.entityReference.describe('The id of an existing account.'),
  name: neverCleared(name),
  status: neverCleared(updateStatus),
  invoiceCurrency: invoiceCurrency.nullish(),
  netTermDays: netTermDays.nullish(),
  primaryEmail: fields.optionalEmail(primaryEmail),
  address: address.nullish(),
  billingInformation: billingInformation.nullish(),
  tags: tags.nullish(),
  metadata: fields.metadata.nullish(),
  expectedVersion: fields.expectedVersion.nullish(),
  ...writeOptions,
});

export type UpdateAccountInput = z.output<typeof updateAccountInput>;

interface Recipients {
  emailRecipients: string[] | null;
  additionalEmailRecipients: string[] | null;
}

/** Returns the billing information of a row, or null if it has none. */
export function billingInformationOf({ emailRecipients, additionalEmailRecipients }: Recipients) {
  if (emailRecipients === null || additionalEmailRecipients === null) return null;
  return { emailRecipients, additionalEmailRecipients };
}

export const statusConditions = statusFilter(Object.keys(statuses) as [AccountStatus]);
export const tagCondition = tag.describe('Matches a tag, ignoring case, accents and apostrophes.');
export const currencyCondition = fields.knownCurrency.describe(
  'The currency of the invoices, an ISO 4217 code in upper case, also a withdrawn one.',
);

/** The conditions of a list of accounts. All must match. */
export const accountFilter = z.object({
  ...commonFilter,
  customerId: fields.entityReference.nullish(),
  status: statusConditions.nullish(),
  invoiceCurrency: currencyCondition.nullish(),
  tag: tagCondition.nullish(),
});

export type AccountFilter = z.output<typeof accountFilter>;
